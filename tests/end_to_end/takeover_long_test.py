# Instances that should not be there any more: one that slept while another took its place, by the
# same transactional id or by another, and two that were given one id. The log shows each outcome
# once, with the bytes of a run that nobody disturbed, and whoever lost its place says so.
import signal
import time

import pytest
from support import kafka, proof, scene

# Many small transactions, one of them open at any moment until the inputs are read.
STEPS = ("batch.events_max=50", "transaction.events_max=200", "transaction.ms_max=20",
         "checkpoint.interval_s=1", "kafka.client.transaction.timeout.ms=10000")  # fmt: skip
PARTITIONS = 2
PAST_THE_SESSION_S, PAST_THE_TRANSACTION_S = 8, 14


@pytest.fixture(scope="module")
def undisturbed(broker, small_scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    deployment = kafka.Deployment(broker, folder, inputs="takeover-", name="whole-")
    deployment.create_topics(PARTITIONS)
    deployment.load(scene.cut_at(small_scene, 0.2, folder / "inputs"), PARTITIONS)
    return deployment, deployment.serve_through()


def deployment_beside(broker, folder, name):
    deployment = kafka.Deployment(broker, folder, inputs="takeover-", name=name)
    deployment.create_topics(PARTITIONS)
    return deployment


def freeze_in_mid_work(deployment, serve):
    """Stops it somewhere in the first half, asleep with a transaction open more often than not."""
    total = sum(deployment.ends().values())
    serve.wait_committed(total / 4)
    serve.process.send_signal(signal.SIGSTOP)
    assert sum(deployment.committed().values()) < total * 0.9, "too late to matter"


def test_a_sleeper_whose_id_another_has_is_fenced(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "same-")
    with deployment.serve(*STEPS) as first:
        freeze_in_mid_work(deployment, first)
        with deployment.serve(*STEPS) as second:
            second.wait_caught_up()
            time.sleep(PAST_THE_SESSION_S)
            before = deployment.outputs(*proof.COMPARED, "journal")
            first.process.send_signal(signal.SIGCONT)
            line = first.fails()
            assert "fenced: another instance uses" in line, line
            counts = second.finish()
    after = deployment.outputs(*proof.COMPARED, "journal")
    assert {n: kafka.values(p) for n, p in after.items()} == {
        n: kafka.values(p) for n, p in before.items()
    }
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])
    proof.assert_proved(deployment, "--bytes")


@pytest.mark.parametrize("asleep_s", [PAST_THE_SESSION_S, PAST_THE_TRANSACTION_S])
def test_a_sleeper_whose_partitions_another_has_writes_nothing_of_them(
    broker, undisturbed, tmp_path, asleep_s
):
    deployment = deployment_beside(broker, tmp_path, f"other-{asleep_s}-")
    with deployment.serve(*STEPS) as first:
        freeze_in_mid_work(deployment, first)
        with deployment.serve(*STEPS, "kafka.transactional_id=another") as second:
            time.sleep(asleep_s)
            if asleep_s == PAST_THE_TRANSACTION_S:
                second.wait_caught_up()
            first.process.send_signal(signal.SIGCONT)
            # Nobody has its id, so it comes back into the group as one that lost its partitions.
            second.wait_caught_up()
            first.wait_words("aborted" if asleep_s == PAST_THE_SESSION_S else "ready", 30)
            first.finish()
            second.wait_caught_up()
            second.finish()
    proof.assert_same_outputs(deployment, undisturbed[0])
    proof.assert_proved(deployment, "--bytes")


def test_of_two_with_one_id_the_later_stays(broker, undisturbed, tmp_path):
    """The id is the group's instance id as well: the broker fences the first by both."""
    deployment = deployment_beside(broker, tmp_path, "twin-")
    total = sum(deployment.ends().values())
    with deployment.serve(*STEPS) as first:
        first.wait_committed(total / 4)
        with deployment.serve(*STEPS) as second:
            line = first.fails()
            assert "fenced: another instance uses" in line and "transactional_id" in line, line
            second.wait_caught_up()
            counts = second.finish()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])
    proof.assert_proved(deployment, "--bytes")
