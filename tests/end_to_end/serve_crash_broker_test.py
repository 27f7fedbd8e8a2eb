# Promise P2: `serve` killed with SIGKILL in the middle of its work and started again. A
# read_committed consumer sees every decision exactly once, and the bytes are those of a run that
# nobody disturbed. Both runs read the same topics, loaded before either started.
import random
import time

import pytest
from support import kafka, outputs

KILLS = 4
SEED = 20  # of the moments of death
# Short transactions, so that there are many moments to be killed at.
SMALL_STEPS = (
    "batch.events_max=100", "transaction.events_max=400", "transaction.ms_max=20",
    "checkpoint.interval_s=1",
)  # fmt: skip
COMPARED = ("verdicts", "limits", "alerts", "dead-letter", "late")


@pytest.fixture(scope="module")
def undisturbed(broker, small_scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    deployment = kafka.Deployment(broker, folder, inputs="crash-", name="whole-")
    deployment.create_topics()
    loaded = deployment.load(small_scene.inputs)
    with deployment.serve() as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    assert counts["consumed"] == sum(loaded.values())
    return deployment, counts


@pytest.fixture(scope="module")
def killed(broker, undisturbed, tmp_path_factory):
    """The run that dies several times; gives also what was committed at each death."""
    folder = tmp_path_factory.mktemp("killed")
    deployment = kafka.Deployment(broker, folder, inputs="crash-", name="killed-")
    deployment.create_topics()
    dice = random.Random(SEED)
    total = sum(deployment.ends().values())
    deaths = []
    for number in range(KILLS):
        with deployment.serve(*SMALL_STEPS) as serve:
            # Somewhere between the last death and the end, and at any point of a transaction.
            goal = total * (number + dice.uniform(0.2, 0.6)) / (KILLS + 1)
            serve.wait_committed(goal)
            time.sleep(dice.uniform(0, 0.05))
            serve.check()
            serve.kill()
        deaths.append(sum(deployment.committed().values()))
    with deployment.serve(*SMALL_STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    return deployment, counts, deaths, total


def test_it_died_in_the_middle(killed):
    _, _, deaths, total = killed
    assert len(deaths) == KILLS
    assert deaths == sorted(deaths) and len(set(deaths)) == KILLS
    assert 0 < deaths[0] and deaths[-1] < total, (deaths, total)


def test_every_decision_exactly_once_and_the_same_bytes(undisturbed, killed):
    whole, again = undisturbed[0].outputs(*COMPARED), killed[0].outputs(*COMPARED)
    for name in ("verdicts", "limits", "alerts"):
        for partition, (found, expected) in enumerate(zip(again[name], whole[name], strict=True)):
            outputs.assert_same(
                [m.value() for m in found], [m.value() for m in expected],
                f"{name}, partition {partition}",
            )  # fmt: skip
            assert [m.key() for m in found] == [m.key() for m in expected]
        assert kafka.values(again[name]), name
    for name in outputs.LETTERS:
        assert kafka.letters(again[name]) == kafka.letters(whole[name])


def test_every_record_has_one_outcome(undisturbed, killed):
    (_, whole), (deployment, counts, _, _) = undisturbed, killed
    outputs.assert_identity(counts)
    assert counts == whole
    verdicts = kafka.values(deployment.outputs("verdicts")["verdicts"])
    assert len(set(verdicts)) == len(verdicts) == counts["scored"]


def test_the_order_is_written_down(killed):
    deployment = killed[0]
    journal = kafka.values(deployment.outputs("journal")["journal"])
    assert len(journal) > 10 and all(journal)


def test_a_later_start_recovers_and_finds_nothing_to_do(killed):
    deployment, counts, _, _ = killed
    before = {name: kafka.values(p) for name, p in deployment.outputs(*COMPARED).items()}
    with deployment.serve() as serve:
        serve.wait_ready()
        serve.wait_caught_up()
        time.sleep(1)  # time enough to publish something, if it had something
        again = serve.finish()
        assert "restored" in serve.words()
    assert again == counts
    after = {name: kafka.values(p) for name, p in deployment.outputs(*COMPARED).items()}
    assert after == before
