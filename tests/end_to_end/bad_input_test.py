# Bad input as a user meets it: lines that are no events become dead letters that name the field,
# the good events around them get the very same decisions, and wrong usage ends with one line.
import base64
import gzip
import json

import pytest
from support import outputs, program, scene
from support.program import CONFIG, fails

GOOD = {
    "event_id": "bad",
    "merchant_id": "m-1",
    "type": "payment",
    "event_time": "2025-02-01T10:00:00Z",
    "amount": "57.16",
    "currency": "CNY",
}


def payment(**changes):
    event = {**GOOD, **changes}
    return json.dumps({k: v for k, v in event.items() if v is not MISSING}).encode()


MISSING = object()

# A line, its error code, and how the message begins: with the field.
BAD_PAYMENTS = [
    (b"hello", "invalid_json", "value"),
    (b"{", "invalid_json", "value"),
    (payment() + b"}", "invalid_json", "value"),
    (b'"text"', "not_an_object", "value"),
    (b"17", "not_an_object", "value"),
    (b"[]", "not_an_object", "value"),
    (b"{}", "missing_field", "event_id"),
    (payment(event_id=MISSING), "missing_field", "event_id"),
    (payment(event_id=None), "missing_field", "event_id"),
    (payment(event_id=5), "wrong_type", "event_id"),
    (payment(event_id=""), "empty_field", "event_id"),
    (payment(merchant_id=MISSING), "missing_field", "merchant_id"),
    (payment(merchant_id={}), "wrong_type", "merchant_id"),
    (payment(type="gift"), "unknown_type", "type"),
    (payment(type="issued"), "unknown_type", "type"),
    (payment(event_time=MISSING), "missing_field", "event_time"),
    (payment(event_time="yesterday"), "invalid_time", "event_time"),
    (payment(event_time="2025-02-30T10:00:00Z"), "invalid_time", "event_time"),
    (payment(event_time="2025-02-01T10:00:00"), "invalid_time", "event_time"),
    (payment(event_time="2031-01-01T00:00:00Z"), "future_timestamp", "event_time"),
    (payment(amount=MISSING), "missing_field", "amount"),
    (payment(amount=57.16), "wrong_type", "amount"),
    (payment(amount="-1.00"), "negative_amount", "amount"),
    (payment(amount="1.005"), "amount_precision", "amount"),
    (payment(amount="1.5", currency="JPY"), "amount_precision", "amount"),
    (payment(amount="99999999999999999999"), "amount_overflow", "amount"),
    (payment(amount="1,5"), "invalid_amount", "amount"),
    (payment(amount=""), "empty_field", "amount"),
    (payment(currency="XYZ"), "unknown_currency", "currency"),
    (payment(currency=156), "wrong_type", "currency"),
    (payment(certified="yes"), "wrong_type", "certified"),
    (payment(event_id="x" * (1 << 20)), "oversized", "value"),
    (b'{"event_id":"\xff"}', "invalid_utf8", "value"),
]
BAD_OTHERS = {
    "invoices": [
        (payment(type="issued"), "missing_field", "invoice_id"),
        (payment(type="payment", invoice_id="n"), "unknown_type", "type"),
    ],
    "merchants": [
        (b'{"merchant_id":"m-1","event_time":"2025-02-01T10:00:00Z","time_zone":"Mars/Base"}',
         "unknown_time_zone", "time_zone"),
    ],
    "signals": [
        (b'{"event_id":"s","merchant_id":"m-1","event_time":0,"name":"power"}',
         "missing_field", "value"),
    ],
    "feedback": [
        (b'{"event_id":"f","merchant_id":"m-1","type":"maybe","event_time":0}',
         "unknown_type", "type"),
    ],
    "control": [
        (b'{"event_id":"c","type":"overlay","event_time":0}', "missing_field", "factor"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def good(small_scene, tmp_path_factory):
    """The first part of the scene, less what is bad in it already."""
    folder = tmp_path_factory.mktemp("good")
    inputs = scene.cut_at(small_scene, 0.2, folder)
    program.replay(inputs, folder / "probe")
    bad = {}
    for place in outputs.letters_of(folder / "probe", "dead-letter", 0):
        bad.setdefault(place[0].removesuffix(".v1"), set()).add(place[2])
    for source, numbers in bad.items():
        lines = inputs[source].read_bytes().splitlines(keepends=True)
        kept = [line for number, line in enumerate(lines) if number not in numbers]
        inputs[source].write_bytes(b"".join(kept))
    return inputs


def mixed(good, folder):
    """Bad lines spread over the good ones. Gives the files, and {(source, line): expectation}."""
    inputs, expected = {}, {}
    for source, path in good.items():
        bad = BAD_PAYMENTS if source == "payments" else BAD_OTHERS.get(source, [])
        lines = path.read_bytes().splitlines()
        step = max(1, len(lines) // (len(bad) + 1))
        out = []
        waiting = list(bad)
        for number, line in enumerate(lines):
            if number % step == step - 1 and waiting:
                line_bytes, error, field = waiting.pop(0)
                expected[source, len(out)] = (error, field, line_bytes)
                out.append(line_bytes)
            out.append(line)
        for line_bytes, error, field in waiting:
            expected[source, len(out)] = (error, field, line_bytes)
            out.append(line_bytes)
        inputs[source] = folder / f"{source}.jsonl"
        inputs[source].write_bytes(b"\n".join(out) + b"\n")
    return inputs, expected


def test_bad_lines_are_dead_letters_and_change_no_decision(good, tmp_path):
    inputs, expected = mixed(good, tmp_path)
    before = program.replay(good, tmp_path / "good")
    after = program.replay(inputs, tmp_path / "mixed")
    assert before["dead_lettered"] == 0 and before["scored"] > 1000
    assert after["dead_lettered"] == len(expected)
    outputs.assert_identity(after)
    for source, counts in after["sources"].items():
        added = len([1 for place in expected if place[0] == source])
        assert counts["consumed"] == before["sources"][source]["consumed"] + added
        for outcome in ("scored", "applied", "late", "duplicate"):
            assert counts[outcome] == before["sources"][source][outcome], (source, outcome)
    assert after["state_hash"] == before["state_hash"]
    for name in outputs.DECISIONS:
        outputs.assert_same(
            outputs.without_offset(outputs.lines_of(tmp_path / "mixed", name)),
            outputs.without_offset(outputs.lines_of(tmp_path / "good", name)),
            name,
        )


def test_every_dead_letter_names_its_field_and_gives_the_bytes_back(good, tmp_path):
    inputs, expected = mixed(good, tmp_path)
    program.replay(inputs, tmp_path / "out")
    found = {}
    for line in outputs.lines_of(tmp_path / "out", "dead-letter"):
        letter = json.loads(line)
        found[letter["topic"], letter["offset"]] = letter
    assert found.keys() == expected.keys()
    for place, (error, field, line) in expected.items():
        letter = found[place]
        assert letter["error"] == error, (line[:200], letter)
        assert letter["message"].startswith(f"{field}:"), (line[:200], letter)
        assert base64.b64decode(letter["value_base64"]) == line


def test_blank_lines_are_skipped(good, tmp_path):
    spaced = tmp_path / "payments.jsonl"
    spaced.write_bytes(good["payments"].read_bytes().replace(b"\n", b"\n\n \n"))
    found = program.replay({"payments": spaced}, tmp_path / "spaced")
    plain = program.replay({"payments": good["payments"]}, tmp_path / "plain")
    assert found["consumed"] == plain["consumed"] and found["state_hash"] == plain["state_hash"]


def replay_words(good, folder, *more, config=CONFIG):
    return ["replay", "--config", config, "--out", folder / "out", "--input",
            f"payments={good['payments']}", *more]  # fmt: skip


def config_with(folder, line):
    path = folder / "tidemark.yaml"
    path.write_text((program.ROOT / CONFIG).read_text() + line + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("colour: red", ["tidemark.yaml", "colour"]),
        ("batch: {events_max: many}", ["tidemark.yaml", "events_max"]),
        ("batch: {events_max: 0}", ["tidemark.yaml", "events_max"]),
        ("batch: {evnts_max: 7}", ["tidemark.yaml", "evnts_max"]),
        ("batch: 7", ["tidemark.yaml", "batch"]),
        ("batch: {events_max: 7", ["tidemark.yaml"]),
    ],
)
def test_a_wrong_configuration_ends_with_2_and_names_file_and_key(good, tmp_path, line, words):
    config = config_with(tmp_path, line)
    said = fails(2, *replay_words(good, tmp_path, config=config))
    assert all(word in said for word in words), said
    count = len((program.ROOT / CONFIG).read_text().splitlines()) + 1
    assert f":{count}" in said or f"line {count}" in said or line.endswith("7"), said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--set", "batch.evnts_max=7"], ["evnts_max"]),
        (["--set", "threads=several"], ["threads"]),
        (["--set", "backend=abacus"], ["backend", "abacus"]),
        (["--set", "threads"], ["--set"]),
        (["--input", "receipts=x.jsonl"], ["--input", "receipts"]),
        (["--input", "payments"], ["--input"]),
        (["--now", "noon"], ["--now", "noon"]),
        (["--now", "infinite-past"], ["--now", "infinite-past"]),
        (["--threads", "-3"], ["--threads", "-3"]),
        (["--partition", "0"], ["--partition", "--kafka"]),
        (["--colour", "red"], ["--colour"]),
    ],
)
def test_wrong_usage_ends_with_2_and_names_the_option(good, tmp_path, more, words):
    said = fails(2, *replay_words(good, tmp_path, *more))
    assert all(word in said for word in words), said


def test_missing_files_end_the_run_and_are_named(good, tmp_path):
    missing = tmp_path / "nowhere"
    words = replay_words(good, tmp_path, "--input", f"invoices={missing}.jsonl")
    assert f"{missing}.jsonl" in fails(2, *words)
    assert f"{missing}.yaml" in fails(2, *replay_words(good, tmp_path, config=f"{missing}.yaml"))
    said = fails(2, *replay_words(good, tmp_path, "--set", f"bundle={missing}"))
    assert str(missing) in said
    said = fails(2, *replay_words(good, tmp_path, "--set", f"features.spec={missing}"))
    assert str(missing) in said


def test_epoch_milliseconds_stand_for_now_too(good, tmp_path):
    words = replay_words(good, tmp_path, "--now", str(program.NOW_MS))
    program.run_well(*words, *program.settings(*program.SMALL))


def test_a_run_that_fails_leaves_no_summary_of_an_earlier_one(good, tmp_path):
    words = replay_words(good, tmp_path, *program.settings(*program.SMALL))
    program.run_well(*words)
    assert (tmp_path / "out/summary.json").exists()
    cut_off = tmp_path / "invoices.gz"
    cut_off.write_bytes(gzip.compress(good["invoices"].read_bytes())[:-9])
    assert str(cut_off) in fails(1, *words, "--input", f"invoices={cut_off}")
    assert not (tmp_path / "out/summary.json").exists()


def test_a_line_may_be_as_long_as_the_configuration_allows(tmp_path):
    line = payment(order_id="x" * (17 << 20))
    path = tmp_path / "payments.jsonl"
    path.write_bytes(line + b"\n")
    limit = f"capacity.value_bytes_max={18 << 20}"
    assert program.replay({"payments": path}, tmp_path / "out", limit)["scored"] == 1


def test_no_command_and_an_unknown_one_end_with_2():
    fails(2)
    fails(2, "juggle")
