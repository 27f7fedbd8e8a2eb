# `tidemark verify --bytes` from a checkpoint on: because it is asked to, and because retention has
# taken the start of the log. What is changed behind the checkpoint is found, and a checkpoint that
# the journal cannot vouch for is no place to begin.
import json
import shutil

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from support import kafka, program

PARTITIONS = 2
STEPS = ("batch.events_max=100", "transaction.events_max=400", "transaction.ms_max=20")


class Served:
    """A deployment that stopped in the middle and went on: a checkpoint there, one at the end."""

    def __init__(self, broker, scene, folder, inputs):
        self.deployment = kafka.Deployment(broker, folder, inputs=inputs)
        self.deployment.create_topics(PARTITIONS)
        self.deployment.load(scene.inputs, PARTITIONS)
        with self.deployment.serve(*STEPS) as serve:
            serve.wait_committed(sum(self.deployment.ends().values()) / 2)
            serve.finish()
        self.half = self.checkpoints()
        self.middle = self.deployment.committed()
        with self.deployment.serve(*STEPS) as serve:
            serve.wait_caught_up()
            serve.finish()
        self.journal = self.deployment.output_topic("journal")
        # A transaction takes two offsets of the journal: its record and its marker.
        self.stands_at = [one["journal_next"] - 2 for one in self.half]

    def command(self, *arguments, more=()):
        settings = self.deployment.settings(*more)
        return program.run(*arguments, "--config", program.CONFIG, *settings)

    def checkpoints(self):
        """The newest of each partition."""
        command = ["checkpoint", "list", "--config", program.CONFIG, "--json"]
        listed = program.run_well(*command, *self.deployment.settings())
        newest = {one["partition"]: one for one in reversed(json.loads(listed)["checkpoints"])}
        return [newest[p] for p in range(PARTITIONS)]

    def verify(self, status, *arguments, more=()):
        """What `verify --bytes --json` says."""
        done = self.command("verify", "--bytes", "--json", *arguments, more=more)
        assert done.returncode == status, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr.splitlines()[-1]

    def delete(self, ends):
        """Deletes logs up to {(topic, partition): offset}, as retention would."""
        admin = AdminClient({"bootstrap.servers": self.deployment.broker.bootstrap})
        places = [TopicPartition(*place, end) for place, end in ends.items()]
        for done in admin.delete_records(places).values():
            done.result()

    def tampered(self, name, at):
        """The setting of verdicts of which one, of partition 0, was changed."""
        topic = f"{self.deployment.input_prefix}{name}"
        setting = f"kafka.topics.verdicts={topic}"
        done = self.command("topics", "--create", "--partitions", str(PARTITIONS), more=[setting])
        assert done.returncode == 0, done.stderr
        producer = Producer({"bootstrap.servers": self.deployment.broker.bootstrap,
                             "enable.idempotence": True, "log_level": 0})  # fmt: skip
        for partition, messages in enumerate(self.deployment.outputs("verdicts")["verdicts"]):
            changed = int(at * len(messages)) if partition == 0 else None
            for number, message in enumerate(messages):
                value = message.value()
                if number == changed:
                    value = value.replace(b'"verdict":"', b'"verdict":"x', 1)
                producer.produce(topic, value, message.key(), partition=partition)
                producer.poll(0)
        assert producer.flush(60) == 0
        return setting


@pytest.fixture(scope="module")
def served(broker, small_scene, tmp_path_factory):
    return Served(broker, small_scene, tmp_path_factory.mktemp("checkpoint"), "verify-checkpoint-")


@pytest.fixture(scope="module")
def cut(broker, small_scene, tmp_path_factory):
    """Retention has taken inputs and journal up to the checkpoint in the middle."""
    one = Served(broker, small_scene, tmp_path_factory.mktemp("cut"), "verify-cut-")
    one.delete({(one.journal, p): one.stands_at[p] for p in range(PARTITIONS)})
    compacted = one.deployment.input_topic("merchants")  # which retention leaves alone
    one.delete({place: end for place, end in one.middle.items() if place[0] != compacted})
    return one


def assert_begins_behind_the_middle(one, told):
    payments = one.deployment.input_topic("payments")
    assert told["result"] == "proved" and told["compared"] > 5000
    for part, checkpoint in zip(told["partitions"], one.half, strict=True):
        place = (payments, part["partition"])
        assert part["from_checkpoint"] == checkpoint["generation"]
        assert part["journal"]["first"] >= checkpoint["journal_next"]
        ranges = part["ranges"]["payments"]
        assert ranges == {"first": one.middle[place], "next": one.deployment.ends()[place]}


def test_begins_at_a_checkpoint_when_it_is_asked_to(served):
    whole = served.verify(0)
    assert [part["from_checkpoint"] for part in whole["partitions"]] == [None, None]
    told = served.verify(0, "--from", "checkpoint")
    assert_begins_behind_the_middle(served, told)
    assert told["records"] < 0.8 * whole["records"]
    generation = served.half[1]["generation"]
    told = served.verify(0, "--partition", 1, "--from", f"checkpoint={generation}")
    assert told["partitions"][0]["from_checkpoint"] == generation


def test_finds_what_was_changed_behind_the_checkpoint(served):
    behind = served.tampered("changed-behind", 0.9)
    told = served.verify(1, "--from", "checkpoint", more=[behind])
    violations = [part["violations"] for part in told["partitions"]]
    assert violations[0]["by_name"] == {"output_bytes": 1} and violations[1]["count"] == 0
    assert "changed-behind [0] at offset" in violations[0]["first"][0]["text"]
    # What lies before it is not of the range, and of the whole log it is.
    before = served.tampered("changed-before", 0.1)
    served.verify(0, "--from", "checkpoint", more=[before])
    assert served.verify(1, more=[before])["violations"] == 1


def test_begins_at_a_checkpoint_in_a_topic(served):
    topic = "verify-checkpoint-store.v1"
    store = ["checkpoint.directory=", f"checkpoint.topic={topic}"]
    assert served.command("topics", "--create", more=store).returncode == 0
    for checkpoint in served.half:
        done = served.command(
            "checkpoint", "copy", "--partition", checkpoint["partition"], "--generation",
            checkpoint["generation"], "--to-topic", topic,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert_begins_behind_the_middle(served, served.verify(0, "--from", "checkpoint", more=store))


def test_says_why_there_is_no_checkpoint_to_begin_from(served, broker, tmp_path):
    def reason(*more, of=("--from", "checkpoint")):
        return served.verify(2, *of, more=more)["reason"]

    empty = f"checkpoint.directory={tmp_path / 'empty'}"
    assert "has no checkpoint of group" in reason(empty)
    line = served.verify(2, "--from", "checkpoint", more=["checkpoint.directory="])
    assert "names a store" in line and "no checkpoint to begin from" in line
    assert "made with the settings" in reason("time.dedup_horizon_h=47")
    assert "has no checkpoint of group" in reason(of=("--from", "checkpoint=77"))
    for word in ("checkpoint=", "checkpoint=x", "checkpoints", "checkpoint=0"):
        assert "expected checkpoint" in served.verify(2, "--from", word)
    # One of another life of these topics: another state, or the same one at another offset of the
    # journal, as its transactions fell.
    other = kafka.Deployment(broker, tmp_path, inputs="verify-checkpoint-", name="other-")
    other.create_topics(PARTITIONS)
    with other.serve("transaction.events_max=200", *STEPS[::2]) as serve:
        serve.wait_committed(sum(other.ends().values()) / 3)
        serve.finish()
    folder = tmp_path / "checkpoints-verify-checkpoint-other-"
    shutil.move(folder / other.group, folder / served.deployment.group)
    assert "where it stands" in reason(f"checkpoint.directory={folder}")
    # One with another state hash than it was written with is no manifest any more.
    group = served.deployment.group
    mine = served.deployment.folder / "checkpoints-verify-checkpoint-" / group
    shutil.copytree(mine, tmp_path / "other" / group)
    for manifest in (tmp_path / "other" / group).glob("*/*.manifest.json"):
        text = manifest.read_text()
        told = json.loads(text)["state_hash"]
        manifest.write_text(text.replace(told, told[1:] + told[:1]))
    assert "wrong checksum" in reason(f"checkpoint.directory={tmp_path / 'other'}")


def test_retention_has_taken_the_start(cut):
    told = cut.verify(2)
    assert "begins at offset" in told["reason"] and "--from checkpoint" in told["reason"]
    assert_begins_behind_the_middle(cut, cut.verify(0, "--from", "checkpoint"))
    # A range is proved from the newest checkpoint that is not ahead of it, unasked.
    payments = cut.deployment.input_topic("payments")
    first = cut.middle[payments, 0] + 1000
    told = cut.verify(0, "--partition", 0, "--from", f"payments={first}")
    assert told["partitions"][0]["from_checkpoint"] == cut.half[0]["generation"]
    assert cut.middle[payments, 0] < told["partitions"][0]["ranges"]["payments"]["first"] <= first
    # The log alone, whatever topics hold of the time before.
    for start in ("checkpoint", cut.stands_at[0]):
        done = cut.command("verify", "--partition", "0", "--from", start)
        expected = 0 if start == "checkpoint" else 2  # the record's inputs are gone
        assert done.returncode == expected, (start, done.stdout, done.stderr)


def test_finds_what_was_changed_where_the_start_is_gone(cut):
    behind = cut.tampered("changed-behind", 0.9)
    told = cut.verify(1, "--from", "checkpoint", more=[behind])
    assert told["partitions"][0]["violations"]["by_name"] == {"output_bytes": 1}


def test_nothing_vouches_for_a_checkpoint_ahead_or_without_its_record(served, cut):
    # A journal that begins before the checkpoint, but not at its own start.
    begin = served.stands_at[1] // 2
    served.delete({(served.journal, 1): begin})
    told = served.verify(2, "--partition", 1, "--from", begin)
    assert f"{served.journal}, the range begins at" in told["reason"]
    cut.delete({(cut.journal, 1): cut.half[1]["journal_next"]})
    told = cut.verify(2, "--partition", 1, "--from", f"checkpoint={cut.half[1]['generation']}")
    assert "no longer has the record where it stands" in told["reason"]
