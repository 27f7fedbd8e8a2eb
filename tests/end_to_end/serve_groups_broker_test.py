# Instances that share the partitions, in each of the three ways, and one that goes: its partitions
# go on elsewhere, the others are not disturbed, and a read_committed consumer sees the bytes of a
# run of one instance that nobody disturbed.
import re
import time

import pytest
from confluent_kafka import Consumer, TopicPartition
from support import kafka, program, proof

SMALL_STEPS = (
    "batch.events_max=50", "transaction.events_max=100", "transaction.ms_max=20",
    "checkpoint.interval_s=1",
)  # fmt: skip
# A session of 6 s, the broker's look for members that are overdue, and the recovery.
TAKEOVER_S = 10
# From a takeover to the end of what its predecessor left open; transaction.timeout.ms is 20 s.
SETTLED_S = 5


@pytest.fixture(scope="module")
def whole(broker, small_scene, tmp_path_factory):
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("whole"), "groups-", "whole-")
    deployment.create_topics()
    deployment.load(small_scene.inputs)
    deployment.serve_through()
    return deployment


@pytest.fixture
def deployment(broker, whole, tmp_path, request):
    made = kafka.Deployment(broker, tmp_path, "groups-", f"{request.node.name.split('_')[1]}-")
    made.create_topics()
    return made


def assert_same_as(whole, deployment):
    proof.assert_same_outputs(deployment, whole)
    proof.assert_proved(deployment)


def second(deployment, *more, crash_at=None):
    other = f"kafka.transactional_id=id-{deployment.group}-second"
    return deployment.serve(*SMALL_STEPS, other, *more, crash_at=crash_at)


def partitions(serve, event):
    """All partition numbers that serve's log names behind `event`, in order."""
    lines = re.findall(rf"partitions {event}: ([\d, ]+)", serve.words())
    return [int(number) for line in lines for number in line.split(",")]


def wait_partitions(serve, event, least=1):
    deadline = time.monotonic() + 60
    while len(partitions(serve, event)) < least:
        serve.check()
        assert time.monotonic() < deadline, serve.words()
        time.sleep(0.05)
    return partitions(serve, event)


def test_classic_group_takes_over_from_the_dead(deployment, whole):
    with deployment.serve(*SMALL_STEPS) as first:
        assert sorted(wait_partitions(first, "taken", kafka.PARTITIONS)) == list(range(8))
        with second(deployment, crash_at="committed:3") as other:
            moved = wait_partitions(other, "taken")
            assert other.dies()
        died = time.monotonic()
        # Everything is taken back and shared out anew, when one comes and when it is gone.
        shares = 2 * kafka.PARTITIONS + kafka.PARTITIONS - len(moved)
        assert sorted(wait_partitions(first, "taken", shares)[-8:]) == list(range(8))
        assert time.monotonic() - died < TAKEOVER_S
        first.wait_caught_up()
        first.finish()
    assert_same_as(whole, deployment)


def stable_ends(deployment):
    """Of the verdicts' partitions, for a read_committed consumer and for one that sees all."""
    topic = deployment.output_topic("verdicts")

    def ask(isolation):
        consumer = Consumer(
            {
                "bootstrap.servers": deployment.broker.bootstrap,
                "group.id": "ends",
                "isolation.level": isolation,
                "log_level": 0,
            }
        )
        places = [TopicPartition(topic, number) for number in range(kafka.PARTITIONS)]
        return [consumer.get_watermark_offsets(place, timeout=20)[1] for place in places]

    return ask("read_committed"), ask("read_uncommitted")


def dies_with_a_transaction_open(deployment, tries=5):
    """A second instance joins and dies. Gives which of its partitions end, for a read_committed
    consumer, before what it had sent, and where that ends. How much of a transaction has been sent
    when it is to be committed is chance: where nothing was, another one dies."""
    longer = ("transaction.events_max=1000", "transaction.ms_max=500", "kafka.client.linger.ms=0")
    for _ in range(tries):
        with second(deployment, *longer, crash_at="offsets-sent:2") as other:
            moved = wait_partitions(other, "taken")
            assert other.dies()
        stable, all_ends = stable_ends(deployment)
        hidden = {n: all_ends[n] for n in moved if stable[n] < all_ends[n]}
        if hidden:
            return hidden
    raise AssertionError("none left anything open")


def test_what_the_dead_left_open_hides_nothing_from_readers(deployment, whole):
    with deployment.serve(*SMALL_STEPS) as first:
        wait_partitions(first, "taken", kafka.PARTITIONS)
        hidden = dies_with_a_transaction_open(deployment)
        before = len(partitions(first, "taken"))
        wait_partitions(first, "taken", before + kafka.PARTITIONS)
        taken = time.monotonic()
        while any(stable_ends(deployment)[0][n] <= end for n, end in hidden.items()):
            first.check()
            assert time.monotonic() - taken < SETTLED_S, first.words()
            time.sleep(0.1)
        print(f"seen again {time.monotonic() - taken:.1f} s after the takeover")
        first.wait_caught_up()
        first.finish()
    assert_same_as(whole, deployment)


def test_consumer_protocol_hands_over_and_back(deployment, whole):
    mode = "kafka.assignment=consumer"
    with deployment.serve(*SMALL_STEPS, mode) as first:
        wait_partitions(first, "taken", kafka.PARTITIONS)
        with second(deployment, mode) as other:
            moved = wait_partitions(other, "taken", 4)
            other.finish()
        came_back = wait_partitions(first, "taken", kafka.PARTITIONS + len(moved))
        assert sorted(came_back[-len(moved) :]) == sorted(moved)
        first.wait_caught_up()
        first.finish()
    assert_same_as(whole, deployment)


def test_manual_shares_stay_with_their_instances(deployment, whole):
    def ordinal(number):
        return ("kafka.assignment=manual", "kafka.instances=2", f"kafka.ordinal={number}")

    with deployment.serve(*SMALL_STEPS, *ordinal(0)) as first:
        with second(deployment, *ordinal(1), crash_at="offsets-sent:3") as other:
            assert wait_partitions(other, "taken") == [1, 3, 5, 7]
            assert other.dies()
        with second(deployment, *ordinal(1)) as again:
            again.wait_caught_up()
            assert "partitions given up" not in again.words()
            again.finish()
        assert wait_partitions(first, "taken") == [0, 2, 4, 6]
        first.wait_caught_up()
        first.finish()
    assert_same_as(whole, deployment)


def test_manual_shares_are_checked(deployment):
    line = program.fails(
        2, "serve", "--config", deployment.config,
        *deployment.settings("kafka.assignment=manual", "kafka.instances=9"),
    )  # fmt: skip
    assert "kafka.instances: 9 are more than the 8 partitions" in line
