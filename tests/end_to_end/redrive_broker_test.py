# `tidemark redrive` on a real broker: dead letters of several kinds are listed, repaired and put
# back, by a program that is killed at every point, by two at once, from a file and by their error.
# Each goes in exactly once; then the engine scores them and `tidemark verify` proves all of it.
import json
import os
import subprocess
import time

import jsonschema
import pytest
from confluent_kafka import Producer
from referencing import Registry, Resource
from support import kafka, program, scene

PARTITIONS = 2
# Over two transactions of a redrive each.
MANY, SOME = 2500, 20


def family(events, name, count, **changes):
    """Payments with ids of their own and something wrong with them."""
    made = []
    for number in range(count):
        event = dict(events[number % len(events)], event_id=f"{name}-{number:05}")
        event.update(changes)
        made.append(event)
    return made


@pytest.fixture(scope="module")
def served(broker, small_scene, tmp_path_factory):
    """A deployment whose inputs hold every family once, served to their end."""
    folder = tmp_path_factory.mktemp("redrive")
    deployment = kafka.Deployment(broker, folder, inputs="redrive-")
    deployment.create_topics(PARTITIONS)
    inputs = scene.cut_at(small_scene, 0.1, folder / "inputs")
    good = [e for e in scene.good_events(inputs["payments"]) if e.get("type") == "payment"]
    good = [e for e in good if isinstance(e.get("amount"), str) and "-" not in e["amount"]][:500]
    bad = [
        *family(good, "killed", MANY, amount="-1"),
        *family(good, "twice", MANY, amount="1,5"),
        *family(good, "moved", SOME, currency="XYZ"),
        *family(good, "refused", SOME, type="sale"),
    ]
    for event in bad:
        inputs["payments"].open("a").write(json.dumps(event) + "\n")
    deployment.load(inputs, PARTITIONS)
    load_from_the_future(deployment, family(good, "future", SOME))
    with deployment.serve("transaction.events_max=2000") as serve:
        serve.wait_caught_up()
        serve.finish()
    return deployment


def load_from_the_future(deployment, events):
    """Their time is ahead of the records' own, and has come since."""
    now = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": deployment.broker.bootstrap, "log_level": 0})
    partitioner = scene.Partitioner(PARTITIONS)
    for event in events:
        line = json.dumps(event | {"event_time": now - 86_400_000}).encode()
        key, at = partitioner.place(line)
        producer.produce(deployment.input_topic("payments"), line, key, partition=at,
                         timestamp=now - 5 * 86_400_000)  # fmt: skip
    assert producer.flush(30) == 0


def command(deployment, *arguments):
    return ["redrive", "--config", program.CONFIG, *deployment.settings(), *map(str, arguments)]


def listed(deployment, *arguments):
    return [json.loads(line) for line in
            program.run_well(*command(deployment, "--list", *arguments)).splitlines()]  # fmt: skip


def letters_of(deployment, name):
    return [e for e in listed(deployment) if f'"{name}-' in (e.get("value") or "")]


def repair(letters, **changes):
    repaired = []
    for letter in letters:
        event = json.loads(letter["value"])
        event.update(changes)
        repaired.append(letter | {"value": json.dumps(event), "key": event["merchant_id"]})
    return repaired


def write(path, letters):
    path.write_text("".join(json.dumps(letter) + "\n" for letter in letters))
    return path


def summary(done):
    return json.loads(done.stdout.splitlines()[-1])


def place_text(letter):
    return "{topic}/{partition}/{offset}".format(**letter["letter"])


def redriven_records(deployment, name):
    """What a read_committed consumer sees of a family: {letter: [message]}."""
    found = {}
    for messages in kafka.read_committed(deployment.broker, deployment.input_topic("payments")):
        for message in messages:
            headers = dict(message.headers() or [])
            if "redriven_from" in headers and f'"{name}-'.encode() in message.value():
                found.setdefault(headers["redriven_from"].decode(), []).append(message)
    return found


def marks(deployment):
    found = {}
    for messages in kafka.read_committed(deployment.broker, deployment.output_topic("redriven")):
        for message in messages:
            assert message.key().decode() not in found, "a letter was marked twice"
            found[message.key().decode()] = json.loads(message.value())
    return found


def assert_each_once(deployment, name, repaired):
    """Every letter's record is there once, as repaired, and its mark says where."""
    records, all_marks = redriven_records(deployment, name), marks(deployment)
    assert set(records) == {place_text(letter) for letter in repaired}
    for letter in repaired:
        (record,) = records[place_text(letter)]
        assert record.value().decode() == letter["value"]
        assert record.key().decode() == letter["key"]
        mark = all_marks[place_text(letter)]
        assert mark["letter"] == letter["letter"] and mark["error"] == letter["error"]
        assert mark["to"] == {"topic": record.topic(), "partition": record.partition(),
                              "offset": record.offset()}  # fmt: skip


def test_letters_are_listed_as_they_are(served):
    everything = listed(served)
    expected = kafka.letters(served.outputs("dead-letter")["dead-letter"])
    assert len(everything) == len(expected)
    for letter in everything:
        topic = served.input_topic(letter["topic"])
        error, message, value = expected[topic, letter["partition"], letter["offset"]]
        assert (letter["error"], letter["message"]) == (error, message)
        assert letter.get("value", "").encode() == value or "value_base64" in letter
    some = listed(served, "--error", "unknown_type", "--error", "unknown_currency")
    assert some == [e for e in everything if e["error"] in ("unknown_type", "unknown_currency")]
    part = listed(served, "--partition", 1, "--from", 10, "--to", 40)
    assert part
    assert part == [
        e for e in everything
        if e["letter"]["partition"] == 1 and 10 <= e["letter"]["offset"] <= 40
    ]  # fmt: skip


def test_refused_lines_are_named_and_nothing_is_sent(served, tmp_path):
    letters = letters_of(served, "refused")
    repaired = repair(letters, type="payment")
    broken = [dict(letter) for letter in repaired]
    broken[2]["value"] = letters[2]["value"]
    broken[4]["key"] = "somebody else"
    broken[5]["letter"] = broken[5]["letter"] | {"offset": 10**12}
    broken[6] = broken[7]
    file = write(tmp_path / "broken.jsonl", broken)
    file.write_text(file.read_text() + "no letter\n")
    before = served.ends()
    done = program.run(*command(served, "--file", file))
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert summary(done) == {"read": SOME + 1, "redriven": 0, "already": 0, "refused": 5}
    lines = done.stderr.splitlines()
    for words in ("line 3: would be a dead letter again (unknown_type): type: ",
                  "line 5: would be a dead letter again (key_mismatch): merchant_id: ",
                  "line 6: letter.offset: ", "line 8: letter: ",
                  f"line {SOME + 1}: is no JSON object"):  # fmt: skip
        assert any(line.startswith(words) for line in lines), (words, lines)
    assert lines[-1].endswith(f"5 of {SOME + 1} records are refused, nothing was sent")
    assert served.ends() == before
    # By their error, unchanged, they are what they were.
    done = program.run(*command(served, "--error", "unknown_type"))
    assert done.returncode == 2 and place_text(letters[0]) in done.stderr
    assert served.ends() == before


def test_killed_at_every_point_each_goes_in_once(served, tmp_path):
    repaired = repair(letters_of(served, "killed"), amount="1")
    assert len(repaired) == MANY
    file = write(tmp_path / "repaired.jsonl", repaired)
    arguments = [str(program.PROGRAM), *command(served, "--file", file)]
    for point in ("redrive-sent", "redrive-marked", "redrive-committed", "redrive-sent:2"):
        died = subprocess.run(arguments, cwd=program.ROOT, capture_output=True,
                              env={**os.environ, "TIDEMARK_CRASH_AT": point})  # fmt: skip
        assert died.returncode == -9, (point, died.stderr)
    done = program.run(*command(served, "--file", file))
    assert done.returncode == 0, done.stderr
    # Two of those that died had committed a transaction of a thousand.
    assert summary(done) == {"read": MANY, "redriven": MANY - 2000, "already": 2000, "refused": 0}
    assert f"{place_text(repaired[0])} was put back already" in done.stderr
    assert_each_once(served, "killed", repaired)
    again = program.run(*command(served, "--file", file))
    assert summary(again) == {"read": MANY, "redriven": 0, "already": MANY, "refused": 0}
    assert letters_of(served, "killed") == []
    assert_each_once(served, "killed", repaired)


def test_two_at_once_are_as_one(served, tmp_path):
    repaired = repair(letters_of(served, "twice"), amount="1")
    file = write(tmp_path / "repaired.jsonl", repaired)
    arguments = [str(program.PROGRAM), *command(served, "--file", file)]
    both = [subprocess.Popen(arguments, cwd=program.ROOT, text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) for _ in range(2)]  # fmt: skip
    said = [(one.communicate(timeout=120), one.returncode) for one in both]
    assert 0 in [status for _, status in said], said
    for (_, stderr), status in said:
        assert status == 0 or "fenced" in stderr.splitlines()[-1], said
    assert_each_once(served, "twice", repaired)


def test_marks_are_what_their_schema_says(served):
    folder = program.ROOT / "docs/schemas"
    schemas = {name: json.loads((folder / name).read_text())
               for name in ("common.schema.json", "redriven.v1.schema.json")}  # fmt: skip
    registry = Registry().with_resources((n, Resource.from_contents(s)) for n, s in schemas.items())
    checker = jsonschema.Draft202012Validator(schemas["redriven.v1.schema.json"], registry=registry)
    found = marks(served)
    assert len(found) >= 2 * MANY
    for mark in list(found.values())[:100]:
        checker.validate(mark)


def test_a_changed_key_goes_where_it_belongs(served, tmp_path):
    letters = letters_of(served, "moved")
    repaired = repair(letters, currency="CNY", merchant_id="somebody else", amount="1")
    program.run_well(*command(served, "--file", write(tmp_path / "moved.jsonl", repaired)))
    assert_each_once(served, "moved", repaired)
    belongs = scene.Partitioner(PARTITIONS).place(repaired[0]["value"].encode())[1]
    assert {letter["partition"] for letter in letters} == {0, 1}
    for messages in redriven_records(served, "moved").values():
        assert [m.partition() for m in messages] == [belongs]


def test_what_time_has_mended_goes_back_by_its_error(served):
    letters = letters_of(served, "future")
    assert {letter["error"] for letter in letters} == {"future_timestamp"}
    # The scene has one of its own that is still ahead: with it in the choice nothing is sent.
    before = served.ends()
    done = program.run(*command(served, "--error", "future_timestamp"))
    assert done.returncode == 2 and "dead letter again (future_timestamp)" in done.stderr
    assert served.ends() == before
    done = []
    for _ in range(2):
        for partition in range(PARTITIONS):
            offsets = [e["letter"]["offset"] for e in letters
                       if e["letter"]["partition"] == partition]  # fmt: skip
            chosen = ("--error", "future_timestamp", "--partition", partition,
                      "--from", min(offsets), "--to", max(offsets))  # fmt: skip
            done.append(json.loads(program.run_well(*command(served, *chosen))))
    assert sum(d["redriven"] for d in done[:PARTITIONS]) == SOME
    assert all(d["redriven"] == 0 and d["already"] == d["read"] for d in done[PARTITIONS:])
    assert_each_once(served, "future", letters)


def test_wrong_use_is_said(served, tmp_path):
    deployment = served
    for arguments, words in (
        ((), "one of --list, --file and --error"),
        (("--error", "typo"), "--error typo: there are empty_value, "),
        (("--list", "--from", 3), "name it with --partition"),
        (("--list", "--partition", 9), "has 2 partitions"),
        (("--file", tmp_path / "none"), "none"),
        (("--file", "x", "--error", "no_rate"), "--file names the letters by itself"),
    ):
        assert words in program.fails(2, *command(deployment, *arguments)), arguments
    missing = ("--list", "--set", "kafka.topics.redriven=nowhere")
    line = program.fails(1, *command(deployment, *missing))
    assert "missing topic nowhere (kafka.topics.redriven)" in line


def test_the_engine_scores_them_and_all_is_proved(served):
    """Last in this file: what the others put back is served."""
    ids = {f"{name}-{number:05}" for name, count in (("killed", MANY), ("twice", MANY))
           for number in range(count)} | {f"future-{n:05}" for n in range(SOME)}  # fmt: skip
    # The topic of the marks is not the engine's: it does not even have to be there.
    with served.serve("kafka.topics.redriven=nowhere") as serve:
        deadline = time.monotonic() + 120
        while True:
            serve.check()
            verdicts = kafka.values(served.outputs("verdicts")["verdicts"])
            scored = [json.loads(value)["event_id"] for value in verdicts]
            missing = ids - set(scored)
            if not missing:
                break
            assert time.monotonic() < deadline, sorted(missing)[:5]
            time.sleep(0.5)
        serve.finish()
    assert len(scored) == len(set(scored))
    done = program.run("verify", "--config", program.CONFIG, "--bytes", *served.settings())
    assert done.returncode == 0, (done.stdout, done.stderr)
