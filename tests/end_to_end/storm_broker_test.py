# Instances that join and leave, are killed or freeze, every few seconds while events come. Each
# rebalance revokes every partition, so this is commit, checkpoint, release, restore and repeat over
# and over. storm_long_test.py does it for minutes.
from support.crowd import weather


def test_a_short_storm(broker, small_scene, tmp_path):
    counts = weather(broker, small_scene, tmp_path, "storm-", 25, 0, seed=1, per_s=800)
    assert counts["joined"] > 2 and counts["left"] + counts["killed"] > 2, counts
