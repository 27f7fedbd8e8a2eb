# `tidemark verify`: a log as the engine left it is proved, and every kind of violation, put into a
# copy of one topic with a plain producer, is named with its place.
import json

import pytest
from confluent_kafka import Producer
from support import kafka, program

PARTITIONS = 2


@pytest.fixture(scope="module")
def served(broker, small_scene, tmp_path_factory):
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("verify"), inputs="verify-")
    deployment.create_topics(PARTITIONS)
    deployment.load(small_scene.inputs, PARTITIONS)
    with deployment.serve("transaction.events_max=2000", "batch.events_max=500") as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    return deployment, counts


def verify(deployment, *arguments, more=()):
    command = ["verify", "--config", program.CONFIG, *arguments]
    return program.run(*command, *deployment.settings(*more))


def report(status, deployment, *arguments, more=()):
    """What --json says."""
    done = verify(deployment, "--json", *arguments, more=more)
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def copy_of(deployment, output, change, name):
    """The deployment's topic once more, partition by partition, with a change of partition 0."""
    topic = f"{name}-{output}"
    setting = f"kafka.topics.{output}={topic}"
    program.run_well("topics", "--config", program.CONFIG, "--create", "--partitions", PARTITIONS,
                     *deployment.settings(setting))  # fmt: skip
    producer = Producer({"bootstrap.servers": deployment.broker.bootstrap, "log_level": 0,
                         "enable.idempotence": True})  # fmt: skip
    for partition, messages in enumerate(deployment.outputs(output)[output]):
        records = [(m.key(), m.value(), m.headers()) for m in messages]
        for key, value, headers in change(records) if partition == 0 else records:
            producer.produce(topic, value, key, partition=partition, headers=headers or [])
            producer.poll(0)
    assert producer.flush(60) == 0
    return setting


def test_a_good_log_is_proved_to_the_byte(served):
    deployment, counts = served
    done = verify(deployment, "--bytes")
    assert done.returncode == 0, (done.stdout, done.stderr)
    last = done.stdout.splitlines()[-1]
    # Every partition takes in all of control.
    records = counts["consumed"] + counts["sources"]["control"]["consumed"] * (PARTITIONS - 1)
    assert last.startswith(f"verified: {records} records of {PARTITIONS} partitions"), last
    assert "every state hash as a replay gives them" in last


def test_a_range_is_proved_by_itself(served):
    deployment, _ = served
    done = verify(deployment, "--partition", 1, "--from", "payments=3000", "--to", "payments=5000")
    assert done.returncode == 0, (done.stdout, done.stderr)
    records = int(done.stdout.splitlines()[-1].split()[1])
    assert 2000 <= records < 12_000


def test_a_program_reads_what_was_proved(served):
    deployment, counts = served
    told = report(0, deployment)
    assert told["result"] == "proved" and told["violations"] == 0
    parts = told["partitions"]
    assert [part["partition"] for part in parts] == list(range(PARTITIONS))
    for outcome in ("scored", "dead_lettered", "late", "duplicate"):
        for source in ("payments", "invoices", "signals"):
            found = sum(part["sources"][source][outcome] for part in parts)
            assert found == counts["sources"][source][outcome], (source, outcome)
    begins, ends = deployment.begins(), deployment.ends()
    for part in parts:
        place = (deployment.input_topic("payments"), part["partition"])
        assert part["ranges"]["payments"] == {"first": begins[place], "next": ends[place]}
        assert part["violations"] == {"count": 0, "by_name": {}, "first": []}
        assert part["undecided"] == 0 and part["consumed"] > 0
    assert told["records"] == sum(part["consumed"] for part in parts)
    # What cannot be told is said in the same way.
    told = report(2, deployment, "--from", 999_999)
    assert told["result"] == "unknown" and "no transaction in the range" in told["reason"]


def twice(records):
    return [*records, records[700]]


def missing(records):
    return records[:700] + records[701:]


def swapped(records):
    return records[:700] + [records[701], records[700]] + records[702:]


def gap(records):
    """The second limit of some merchant is lost."""
    seen = set()
    for at, (key, _, _) in enumerate(records):
        if key in seen:
            return records[:at] + records[at + 1 :]
        seen.add(key)
    raise AssertionError("no merchant has two limits")


def byte(records):
    key, value, headers = records[700]
    changed = value.replace(b'"verdict":"', b'"verdict":"x', 1)
    return records[:700] + [(key, changed, headers)] + records[701:]


def other_bytes(records):
    key, value, headers = records[0]
    return [(key, (value or b"") + b" ", headers), *records[1:]]


# The words of each violation, by the name that a program reads.
WORDS = {
    "surplus_output": "once more for",
    "no_outcome": "has no outcome: no verdict in",
    "out_of_order": "out of order: it belongs to",
    "limit_version": "of a merchant's limit, expected",
    "letter_bytes": "has other bytes than",
    "journal_overlap": "an earlier transaction reaches",
    "journal_gap": "no journal record holds it",
    "output_bytes": "other bytes than a replay gives",
    "output_missing": "as the newest of key",
}


@pytest.mark.parametrize(
    "output, change, name, flags",
    [
        ("verdicts", twice, "surplus_output", ()),
        ("verdicts", missing, "no_outcome", ()),
        ("verdicts", swapped, "out_of_order", ()),
        ("limits", gap, "limit_version", ()),
        ("dead-letter", other_bytes, "letter_bytes", ()),
        ("journal", lambda records: [*records, records[-1]], "journal_overlap", ()),
        ("journal", lambda records: records[:2] + records[3:], "journal_gap", ()),
        ("verdicts", byte, "output_bytes", ("--bytes",)),
        ("limits", lambda records: records[:-1], "output_missing", ("--bytes",)),
    ],
    ids=["twice", "missing", "swapped", "gap", "letter", "overlap", "hole", "byte", "newest"],
)
def test_a_violation_is_named(served, request, output, change, name, flags):
    words = WORDS[name]
    deployment, _ = served
    setting = copy_of(deployment, output, change, request.node.callspec.id)
    done = verify(deployment, *flags, "--partition", 0, more=(setting,))
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stderr.strip().splitlines()[-1].startswith("tidemark: verify: ")
    # A record that is not there has no offset.
    words_of_place = "-limits: " if "newest" in words else " [0] at offset "
    named = [line for line in done.stdout.splitlines() if words in line]
    assert named and "WRONG" in named[0] and words_of_place in named[0], done.stdout
    told = report(1, deployment, *flags, "--partition", 0, more=(setting,))
    violations = told["partitions"][0]["violations"]
    assert told["result"] == "violated" and told["violations"] == violations["count"]
    assert sum(violations["by_name"].values()) == violations["count"]
    assert any(one["name"] == name and words in one["text"] for one in violations["first"])


def test_what_is_not_there_is_not_judged(served):
    deployment, _ = served
    for arguments, more in (
        (("--partition", 9), ()),
        (("--from", "elsewhere=1"), ()),
        (("--from", 999_999), ()),
        ((), ("kafka.topics.verdicts=no-such-topic",)),
    ):
        done = verify(deployment, *arguments, more=more)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)


def test_the_engine_alone_never_writes_a_verdict_twice(served):
    values = kafka.values(served[0].outputs("verdicts")["verdicts"])
    places = {json.dumps(json.loads(value)["provenance"]) for value in values}
    assert len(places) == len(values)
