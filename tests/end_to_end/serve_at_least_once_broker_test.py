# Delivery at least once: `serve` killed between journal, outputs and offsets publishes again what
# the journal orders, with the same bytes, and nothing else. Whoever drops what it has seen reads
# the outputs of a run in transactions.
import re

import pytest
from support import kafka, outputs, program, proof

SMALL_STEPS = (
    "delivery=at_least_once", "batch.events_max=200", "transaction.events_max=400",
    "checkpoint.interval_s=1",
)  # fmt: skip
# Behind the journal: nothing was published yet. Behind the outputs: all of it was.
POINTS = ("journaled:4", "published:4", "produced:9", "committed:3", "published:2", "journaled:9")


@pytest.fixture(scope="module")
def whole(broker, small_scene, tmp_path_factory):
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("whole"), "alo-", "whole-")
    deployment.create_topics()
    deployment.load(small_scene.inputs)
    deployment.serve_through()
    return deployment.outputs(*proof.COMPARED)


@pytest.fixture(scope="module")
def killed(broker, whole, tmp_path_factory):
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("killed"), "alo-", "killed-")
    deployment.create_topics()
    for point in POINTS:
        with deployment.serve(*SMALL_STEPS, crash_at=point) as serve:
            assert serve.dies(), point
    deployment.serve_through(*SMALL_STEPS)
    return deployment


def first_seen(messages):
    """What a reader keeps that drops what it has seen, and how many it dropped."""
    kept = list(dict.fromkeys((m.key(), m.value(), str(m.headers())) for m in messages))
    return kept, len(messages) - len(kept)


def place(letter):
    headers = dict(letter.headers())
    return headers["topic"], int(headers["partition"]), int(headers["offset"])


def test_repeats_have_the_same_bytes_and_the_rest_is_that_of_a_whole_run(whole, killed):
    found = killed.outputs(*proof.COMPARED)
    repeated = 0
    for name in proof.COMPARED:
        pairs = zip(found[name], whole[name], strict=True)
        if name in outputs.LETTERS:  # those without a key lie anywhere
            pairs = [tuple(sorted(sum(side, []), key=place) for side in (found[name], whole[name]))]
        for number, (ours, theirs) in enumerate(pairs):
            (kept, again), (expected, none) = first_seen(ours), first_seen(theirs)
            assert kept == expected and none == 0, f"{name}, {number}"
            repeated += again
    assert repeated > 0


def test_verify_tells_repeats_from_second_outcomes(killed):
    flags = killed.settings("delivery=at_least_once")
    said = program.run_well("verify", "--config", killed.config, "--bytes", *flags)
    assert sum(map(int, re.findall(r"(\d+) outputs repeated with the same bytes", said))) > 0
    # In transactions there are no repeats, so there each is a second outcome.
    done = program.run("verify", "--config", killed.config, *killed.settings())
    assert done.returncode == 1 and "has 2 outcomes" in done.stdout
