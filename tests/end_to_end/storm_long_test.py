# The storm of storm_broker_test.py for two minutes, and once more with instances that freeze beyond
# their session and come back.
from support.crowd import weather


def test_a_storm_of_two_minutes(broker, small_scene, tmp_path):
    counts = weather(broker, small_scene, tmp_path, "storm-", 120, 0, seed=2, per_s=300)
    assert counts["joined"] > 10 and counts["left"] > 5 and counts["killed"] > 5, counts


def test_a_storm_with_sleepers(broker, small_scene, tmp_path):
    counts = weather(broker, small_scene, tmp_path, "sleepers-", 120, 9, seed=3, per_s=300)
    assert counts["frozen"] > 2 and counts["killed"] > 2, counts
