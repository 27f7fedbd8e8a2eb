# SIGKILL while events come: 200 times at random moments (starting, recovering, working,
# committing, writing a checkpoint), and five times at every named point. Whatever was cut short,
# each record has its one outcome, and the bytes are those that a replay of the journal gives.
import random
import signal
import time

import pytest
from support import feed, kafka, proof

# Short transactions and a checkpoint a second: much that can be cut short.
STEPS = ("batch.events_max=20", "transaction.events_max=60", "transaction.ms_max=20",
         "checkpoint.interval_s=1", "kafka.client.transaction.timeout.ms=10000")  # fmt: skip
PARTITIONS = 4
KILLS, SEED = 200, 7
PASSES = (1, 2, 3, 5, 8)  # at which a point kills: later ones find more that can go wrong
POINTS = (
    "taken", "produced", "begun", "offsets-sent", "committed", "checkpoint-chunk",
    "checkpoint-before-manifest", "checkpoint-after-manifest", "checkpoint-before-merged",
    "checkpoint-before-removal", "repeated", "recovered",
)  # fmt: skip


@pytest.fixture
def deployment(broker, tmp_path, request):
    name = request.node.name.removeprefix("test_").translate(str.maketrans("[]", "--"))
    made = kafka.Deployment(broker, tmp_path, inputs=f"{name}-")
    made.create_topics(PARTITIONS)
    return made


def end(deployment, events):
    """The last instance takes up what is left, in order."""
    sent = events.stop()
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    assert counts["consumed"] == sent
    proof.assert_each_proved(deployment, sent)


def test_killed_200_times(deployment, small_scene):
    dice = random.Random(SEED)
    with feed.Feed(deployment, small_scene.inputs, 60, PARTITIONS) as events:
        for number in range(KILLS):
            with deployment.serve(*STEPS) as serve:
                # One in ten lives longer, so that the others have something to recover.
                time.sleep(dice.uniform(3, 5) if number % 10 == 0 else dice.uniform(0.1, 2))
                serve.check()
            if number % 50 == 49:
                proof.assert_proved(deployment)
        end(deployment, events)


def test_killed_at_every_point(deployment, small_scene):
    with feed.Feed(deployment, small_scene.inputs, 60, PARTITIONS) as events:
        for point in POINTS:
            # A start recovers each partition once.
            for number in [min(n, PARTITIONS) if point == "recovered" else n for n in PASSES]:
                with deployment.serve(*STEPS, crash_at=f"{point}:{number}") as serve:
                    assert serve.dies(90), f"{point}:{number} is never passed: {serve.words()}"
            proof.assert_proved(deployment)
        end(deployment, events)


@pytest.mark.parametrize("point", ["revoked", "assigned"])
def test_killed_in_a_rebalance(deployment, small_scene, point):
    """Another instance comes, so partitions are taken from the first, and given anew."""
    with feed.Feed(deployment, small_scene.inputs, 60, PARTITIONS) as events:
        for number in range(len(PASSES)):
            passes = 1 if point == "revoked" else 2
            with deployment.serve(*STEPS, crash_at=f"{point}:{passes}") as first:
                first.wait_ready(90)
                other = f"kafka.transactional_id=other-{number}"
                with deployment.serve(*STEPS, other) as second:
                    assert first.dies(90), f"{point} is never passed: {first.words()}"
                    second.wait_words("] ready", 90)
                    second.finish()
        end(deployment, events)


def test_killed_when_an_abort_has_dropped_its_state(deployment, small_scene):
    with feed.Feed(deployment, small_scene.inputs, 60, PARTITIONS) as events:
        for _ in PASSES:
            with deployment.serve(*STEPS, crash_at="dropped:1") as serve:
                serve.wait_ready(90)
                serve.process.send_signal(signal.SIGSTOP)
                time.sleep(12)  # beyond the session and the transaction's time
                serve.process.send_signal(signal.SIGCONT)
                assert serve.dies(90), f"nothing was dropped: {serve.words()}"
        end(deployment, events)
