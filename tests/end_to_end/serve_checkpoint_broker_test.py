# Checkpoints on a real broker: `serve` dies at every named point of a transaction, a checkpoint and
# a recovery, and is started again; the log behind a checkpoint is deleted; a checkpoint is broken;
# the disk does not take any. What consumers see is what one undisturbed run gives, to the byte.
import json
import pathlib
import shutil

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from support import kafka, program, proof

# Many small transactions, and a checkpoint a second: the shortest there is.
STEPS = (
    "batch.events_max=100", "transaction.events_max=400", "transaction.ms_max=20",
    "checkpoint.interval_s=1",
)  # fmt: skip
# Where it dies, and at which pass: a later one finds more that can go wrong.
POINTS = (
    "taken:3", "produced:20", "begun:9", "offsets-sent:11", "committed:12",
    "checkpoint-chunk:3", "checkpoint-chunk:14", "checkpoint-before-manifest:2",
    "checkpoint-after-manifest:3", "checkpoint-before-merged:2", "checkpoint-before-removal:4",
    "repeated:2", "recovered:3",
)  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(broker, small_scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    deployment = kafka.Deployment(broker, folder, inputs="points-", name="whole-")
    deployment.create_topics()
    deployment.load(small_scene.inputs)
    return deployment, deployment.serve_through()


def deployment_beside(broker, folder, name):
    """Another deployment over the same inputs."""
    deployment = kafka.Deployment(broker, folder, inputs="points-", name=name)
    deployment.create_topics()
    return deployment


def checkpoints(deployment):
    """The folder of the group's checkpoints."""
    setting = next(v for v in deployment.values if v.startswith("checkpoint.directory="))
    return pathlib.Path(setting.split("=", 1)[1]) / deployment.group


def run_half(deployment):
    """A first run that ends orderly in the middle; gives what was committed."""
    total = sum(deployment.ends().values())
    with deployment.serve(*STEPS) as serve:
        serve.wait_committed(total / 2)
        serve.finish()
    return deployment.committed()


def test_dies_at_every_point_and_nothing_is_lost_or_twice(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "points-")
    died = []
    for point in POINTS:
        with deployment.serve(*STEPS, crash_at=point) as serve:
            if serve.dies(20):
                died.append(point)
    # Those of the last ones that need more work than is left may live on, and are killed.
    assert len(died) >= len(POINTS) - 2, died
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
        assert "restored" in serve.words()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def test_goes_on_where_the_log_behind_the_checkpoint_is_deleted(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "cut-")
    committed = run_half(deployment)
    journal = deployment.output_topic("journal")
    ends = {
        (journal, p): deployment.observer().get_watermark_offsets(TopicPartition(journal, p))[1]
        for p in range(kafka.PARTITIONS)
    }
    # The inputs are the other tests' too, so it is the journal that goes, all of it.
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    places = [TopicPartition(t, p, end) for (t, p), end in ends.items()]
    for done in admin.delete_records(places).values():
        done.result()
    # A checkpoint that is not there is no way out, and it says so before anything is published.
    aside = tmp_path / "aside"
    shutil.move(checkpoints(deployment), aside)
    with deployment.serve(*STEPS) as serve:
        line = serve.fails()
    assert f"{journal} begins at offset" in line and "no checkpoint" in line, line
    assert deployment.committed() == committed
    shutil.move(aside, checkpoints(deployment))
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def test_a_broken_checkpoint_is_passed_over(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "broken-")
    run_half(deployment)
    for number, folder in enumerate(sorted(checkpoints(deployment).iterdir())):
        manifests = sorted(folder.glob("*.manifest.json"))
        assert manifests, folder
        # The manifest itself, or a chunk that it names.
        chunks = json.loads(manifests[-1].read_text())["chunks"]
        victim = manifests[-1] if number % 2 else folder / chunks[0]["name"]
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
        assert serve.words().count("is passed over") >= kafka.PARTITIONS
        assert "the stream goes on" not in serve.words()  # the next ones were made as ever
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def test_a_disk_that_takes_none_costs_no_event(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "disk-")
    folder, aside = checkpoints(deployment), tmp_path / "aside"
    total = sum(deployment.ends().values())
    with deployment.serve(*STEPS) as serve:
        serve.wait_committed(total / 8)
        # A file where the folder has to be: no checkpoint can be written, whoever asks.
        shutil.move(folder, aside)
        folder.write_text("in the way")
        serve.wait_words("the stream goes on")
        folder.unlink()
        serve.wait_caught_up()
        counts = serve.finish()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])
    # Those behind the failure are whole, and enough to begin from.
    with deployment.serve(*STEPS) as serve:
        serve.wait_ready()
        assert serve.words().count("restored in") == kafka.PARTITIONS, serve.words()
        assert serve.finish() == counts


def test_the_commands_tell_copy_and_check(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "tools-")
    run_half(deployment)

    def ask(what, *more):
        return ["checkpoint", what, "--config", deployment.config, *deployment.settings(), *more]

    listed = json.loads(program.run_well(*ask("list", "--json")))["checkpoints"]
    assert {c["partition"] for c in listed} == set(range(kafka.PARTITIONS))
    assert all(c["readable"] and c["merchants"] > 0 for c in listed)
    assert len(program.run_well(*ask("list")).splitlines()) == len(listed) + 1
    shown = json.loads(program.run_well(*ask("show", "--partition", "3")))
    assert shown["state_hash"] in {c["state_hash"] for c in listed if c["partition"] == 3}
    lines = program.run_well(*ask("verify")).splitlines()
    assert len(lines) == kafka.PARTITIONS and all(line.endswith(": good") for line in lines)
    # The copy serves as well as the original.
    program.run_well(*ask("copy", "--to", str(tmp_path / "copy")))
    chunk = checkpoints(deployment) / "p00003" / shown["chunks"][0]["name"]
    chunk.write_bytes(chunk.read_bytes()[:-1])
    done = program.run(*ask("verify", "--partition", "3"))
    assert done.returncode == 1 and "has another length" in done.stdout
    assert "has another length" in program.fails(1, *ask("copy", "--to", str(tmp_path / "no")))
    with deployment.serve(*STEPS, f"checkpoint.directory={tmp_path / 'copy'}") as serve:
        serve.wait_caught_up()
        counts = serve.finish()
        assert serve.words().count("restored in") == kafka.PARTITIONS
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def test_checkpoints_of_another_journal_are_not_taken(broker, undisturbed, tmp_path):
    other = deployment_beside(broker, tmp_path, "other-")
    run_half(other)
    deployment = deployment_beside(broker, tmp_path, "mine-")
    total = sum(deployment.ends().values())
    with deployment.serve(*STEPS, "transaction.events_max=300") as serve:
        serve.wait_committed(total * 0.7)
        serve.finish()
    # As if the topics had been made anew, the folder left: not ahead, but of another life.
    shutil.rmtree(checkpoints(deployment))
    shutil.copytree(checkpoints(other), checkpoints(deployment))
    with deployment.serve(*STEPS) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
        assert "of another journal" in serve.words()
    assert counts == undisturbed[1]
    proof.assert_same_outputs(deployment, undisturbed[0])


def test_the_spec_of_another_day_is_not_restored(broker, undisturbed, tmp_path):
    deployment = deployment_beside(broker, tmp_path, "spec-")
    run_half(deployment)
    with deployment.serve(*STEPS, "time.dedup_horizon_h=47") as serve:
        line = serve.fails()
        assert "it was made with the settings" in serve.words()
    # Other settings of time are another release, which the journal does not name.
    assert "previous_bundles" in line, line
