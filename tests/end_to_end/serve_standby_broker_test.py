# A standby takes over from an owner that is killed in mid-work: it repeats the last transactions
# instead of a state, and a read_committed consumer sees the bytes of an undisturbed run. A standby
# that cannot follow leaves the takeover to the ordinary recovery.
import re
import signal
import time

import pytest
from support import downstream, feed, kafka, pages, program, proof, scene

STEPS = ("batch.events_max=50", "transaction.events_max=100", "transaction.ms_max=20",
         "checkpoint.interval_s=3600")  # fmt: skip
LIVE = ("transaction.ms_max=100", "checkpoint.interval_s=3600")
# A session of 6 s, the broker's look for members that are overdue, and the recovery.
TAKEOVER_S = 10
STANDBY = "standby.memory_mb_max=1000"
PARTITIONS = 4


@pytest.fixture(scope="module")
def whole(broker, small_scene, tmp_path_factory):
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("whole"), "standby-", "whole-")
    deployment.create_topics(PARTITIONS)
    deployment.load(small_scene.inputs, PARTITIONS)
    deployment.serve_through()
    return deployment


@pytest.fixture
def deployment(broker, whole, tmp_path, request):
    name = request.node.name.split("_")[1]
    made = kafka.Deployment(broker, tmp_path, "standby-", f"{name}-")
    made.create_topics(PARTITIONS)
    return made


def assert_same_as(whole, deployment):
    proof.assert_same_outputs(deployment, whole)
    proof.assert_proved(deployment, "--bytes")


def handed_over(serve):
    """{partition: transactions that were left to repeat} as the log says."""
    found = re.findall(r"partition (\d+): handed over by the standby: (\d+) trans", serve.words())
    return {int(partition): int(left) for partition, left in found}


def share(deployment):
    return sum(deployment.committed().values()) / sum(deployment.ends().values())


def wait_followed(serve, partitions, seconds=60):
    for partition in partitions:
        serve.wait_words(f"partition {partition}: followed by the standby", seconds)


def kill_in_mid_work(deployment, owner):
    """With much behind it and much to do; gives how much."""
    owner.wait_committed(sum(deployment.ends().values()) * 0.5)
    owner.kill()
    done = share(deployment)
    assert done < 0.95, "too late to matter"
    return done


def transactions(deployment):
    """Of each partition, in the journal."""
    return [len(of_one) for of_one in deployment.outputs("journal")["journal"]]


def test_manual_standby_takes_over_when_told(deployment, whole):
    manual = ("kafka.assignment=manual", *STEPS)
    with deployment.serve(*manual) as owner, deployment.serve(*manual, STANDBY) as standby:
        wait_followed(standby, range(PARTITIONS))
        kill_in_mid_work(deployment, owner)
        before = min(transactions(deployment))
        standby.process.send_signal(signal.SIGUSR1)
        standby.wait_ready()
        left = handed_over(standby)
        assert sorted(left) == list(range(PARTITIONS)), standby.words()
        assert max(left.values()) < before / 4, (left, before)
        standby.wait_caught_up()
        standby.finish()
    assert_same_as(whole, deployment)


def taken(serve):
    """The partitions of its last assignment."""
    lines = re.findall(r"partitions taken: ([\d, ]+)", serve.words())
    return [int(number) for number in lines[-1].split(",")] if lines else []


def wait_shared(*serves):
    deadline = time.monotonic() + 60
    while any(not taken(serve) for serve in serves) or (
        sorted(number for serve in serves for number in taken(serve)) != list(range(PARTITIONS))
    ):
        for serve in serves:
            serve.check()
        assert time.monotonic() < deadline, [serve.words() for serve in serves]
        time.sleep(0.05)


def test_classic_survivor_goes_on_with_what_it_followed(broker, small_scene, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path, inputs="survivor-")
    deployment.create_topics(PARTITIONS)
    other = f"kafka.transactional_id=id-{deployment.group}-other"
    with (
        feed.Feed(deployment, small_scene.inputs, 800, PARTITIONS) as events,
        deployment.serve(*LIVE, STANDBY) as survivor,
    ):
        survivor.wait_ready()
        with deployment.serve(*LIVE, STANDBY, other) as owner:
            wait_shared(survivor, owner)
            owned = taken(owner)
            wait_followed(survivor, owned)
            took = downstream.Downstream(deployment, owned).seconds_without(owner)
            print(f"seen again after {took:.1f} s")
        sent = events.stop()
        survivor.wait_caught_up()
        left = handed_over(survivor)
        assert set(owned) <= set(left), survivor.words()
        survivor.finish()
    assert took < TAKEOVER_S, survivor.words()
    proof.assert_each_proved(deployment, sent)


def test_what_cannot_be_followed_is_restored_at_a_takeover(broker, tmp_path):
    many = scene.make(tmp_path / "scene", merchants=400, days=20)
    deployment = kafka.Deployment(broker, tmp_path, inputs="little-")
    deployment.create_topics(PARTITIONS)
    deployment.load(many.inputs, PARTITIONS)
    manual = ("kafka.assignment=manual", *STEPS)
    port = pages.free_port()
    little = ("standby.memory_mb_max=1", f"http.port={port}")
    with deployment.serve(*manual) as owner, deployment.serve(*manual, *little) as standby:
        kill_in_mid_work(deployment, owner)
        standby.wait_words("given up by the standby, a takeover would restore it: its state takes")
        standby.process.send_signal(signal.SIGUSR1)
        standby.wait_ready()
        assert len(handed_over(standby)) < PARTITIONS
        standby.wait_caught_up()
        assert pages.metric(port, "tidemark_standby_given_up_total") > 0
        standby.finish()
    proof.assert_proved(deployment, "--bytes")


def test_least_once_has_no_standby(deployment):
    line = program.fails(
        2, "serve", "--config", deployment.config,
        *deployment.settings("delivery=at_least_once", STANDBY),
    )  # fmt: skip
    assert "standby" in line and "exactly_once" in line, line
