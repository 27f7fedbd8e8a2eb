# Checkpoints in a compacted topic, for machines that share no disk: `serve` is killed and goes on
# elsewhere from the topic alone, dies at every point of a store's own, and its checkpoints are
# listed, shown, verified and copied to a directory and back.
import json
import shutil

import pytest
from support import kafka, program, proof

PARTITIONS = 3
# Many small transactions, and a checkpoint a second: the shortest there is.
STEPS = (
    "batch.events_max=100", "transaction.events_max=400", "transaction.ms_max=20",
    "checkpoint.interval_s=1",
)  # fmt: skip
POINTS = (
    "checkpoint-draft:4", "checkpoint-parts:2", "checkpoint-parts:19",
    "checkpoint-before-manifest:2", "checkpoint-after-manifest:3", "checkpoint-removed:2",
)  # fmt: skip


class Deployment(kafka.Deployment):
    """Its checkpoints have a topic in place of a directory."""

    def __init__(self, broker, folder, name=""):
        super().__init__(broker, folder, inputs="topic-store-", name=name)
        self.values = [v for v in self.values if not v.startswith("checkpoint.directory=")]
        self.topic = f"{self.group}-checkpoints.v1"
        self.values += ["checkpoint.directory=", f"checkpoint.topic={self.topic}"]


@pytest.fixture(scope="module")
def undisturbed(broker, small_scene, tmp_path_factory):
    deployment = Deployment(broker, tmp_path_factory.mktemp("undisturbed"), "whole-")
    made = deployment.create_topics(PARTITIONS)
    (topic,) = [t for t in made["topics"] if t["role"] == "checkpoints"]
    assert topic["topic"] == deployment.topic and topic["partitions"] == PARTITIONS + 1
    deployment.load(small_scene.inputs, PARTITIONS)
    return deployment, deployment.serve_through()


def deployment_beside(broker, folder, name):
    deployment = Deployment(broker, folder, name)
    deployment.create_topics(PARTITIONS)
    return deployment


def test_goes_on_where_there_is_no_disk_of_the_dead(broker, undisturbed, tmp_path):
    first = tmp_path / "first machine"
    first.mkdir()
    deployment = deployment_beside(broker, first, "moved-")
    total = sum(deployment.ends().values())
    with deployment.serve(*STEPS) as serve:
        serve.wait_committed(total / 2)
        listed = []
        while {c["partition"] for c in listed} != set(range(PARTITIONS)):
            listed = json.loads(program.run_well(*ask(deployment, "list", "--json")))["checkpoints"]
        serve.kill()
    shutil.rmtree(first)
    deployment.folder = tmp_path
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
        assert serve.words().count("restored in") == PARTITIONS, serve.words()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def test_dies_at_every_point_of_the_store(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "points-")
    died = []
    for point in POINTS:
        with deployment.serve(*STEPS, crash_at=point) as serve:
            if serve.dies(20):
                died.append(point)
    assert len(died) >= len(POINTS) - 1, died
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
        assert "restored in" in serve.words()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def ask(deployment, what, *more):
    return ["checkpoint", what, "--config", deployment.config, *deployment.settings(), *more]


def test_the_commands_tell_copy_and_check(broker, undisturbed, tmp_path):
    deployment = undisturbed[0]
    listed = json.loads(program.run_well(*ask(deployment, "list", "--json")))["checkpoints"]
    assert {c["partition"] for c in listed} == set(range(PARTITIONS))
    assert all(c["readable"] and c["merchants"] > 0 for c in listed)
    shown = json.loads(program.run_well(*ask(deployment, "show", "--partition", "1")))
    assert shown["state_hash"] in {c["state_hash"] for c in listed if c["partition"] == 1}
    lines = program.run_well(*ask(deployment, "verify")).splitlines()
    assert len(lines) == PARTITIONS and all(line.endswith(": good") for line in lines)

    # To a directory, and from there to another topic: the same checkpoints.
    folder = tmp_path / "copy"
    copied = program.run_well(*ask(deployment, "copy", "--to", str(folder)))
    at_disk = ("--set", "checkpoint.topic=", "--set", f"checkpoint.directory={folder}")
    lines = program.run_well(*ask(deployment, "verify", *at_disk)).splitlines()
    assert len(lines) == PARTITIONS and all(line.endswith(": good") for line in lines)
    other = f"{deployment.topic}-other"
    elsewhere = ("--set", f"checkpoint.topic={other}")
    program.run_well("topics", "--config", program.CONFIG, "--create",
                     *deployment.settings(f"checkpoint.topic={other}"))  # fmt: skip
    again = program.run_well(*ask(deployment, "copy", *at_disk, "--to-topic", other))
    assert again == copied
    there = json.loads(program.run_well(*ask(deployment, "list", "--json", *elsewhere)))
    hashes = {(c["partition"], c["state_hash"]) for c in there["checkpoints"]}
    assert len(hashes) == PARTITIONS
    assert hashes <= {(c["partition"], c["state_hash"]) for c in listed}
    lines = program.run_well(*ask(deployment, "verify", *elsewhere)).splitlines()
    assert len(lines) == PARTITIONS and all(line.endswith(": good") for line in lines)


def test_wrong_use_is_said(broker, undisturbed, tmp_path):
    deployment = undisturbed[0]
    both = ("--set", f"checkpoint.directory={tmp_path}")
    line = program.fails(2, *ask(deployment, "list", *both))
    assert "topic" in line and "checkpoint.directory is given too" in line
    neither = ("--set", "checkpoint.topic=")
    assert "names a store" in program.fails(2, *ask(deployment, "list", *neither))
    assert "--to-topic" in program.fails(2, *ask(deployment, "copy"))
    missing = ("--set", "checkpoint.topic=nowhere")
    line = program.fails(1, *ask(deployment, "list", *missing))
    assert "topic nowhere" in line and "checkpoint.topic" in line
    with deployment.serve("checkpoint.topic=nowhere") as serve:
        assert "missing topic nowhere (checkpoint.topic)" in serve.fails()
