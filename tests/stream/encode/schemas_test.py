"""The schemas of docs/schemas against real bytes: what `generate` and `replay` write."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(os.environ["TIDEMARK_SOURCE_DIR"])
PROGRAM = Path(os.environ["TIDEMARK_PROGRAM"])
SOURCES = ["payments", "invoices", "merchants", "signals", "feedback"]
LINES_MAX = 1500  # of each file: checking one takes a millisecond

SCHEMAS = {p.name: json.loads(p.read_text()) for p in (ROOT / "docs/schemas").glob("*.json")}
REGISTRY = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


def validator(name):
    return Draft202012Validator(SCHEMAS[f"{name}.schema.json"], registry=REGISTRY)


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with generated events under `in` and the outputs of replay under `out`."""
    folder = tmp_path_factory.mktemp("schemas")
    subprocess.run([PROGRAM, "generate", "--merchants", "40", "--days", "150", "--seed", "3",
                    "--bad-share", "0.01", "--out", folder / "in"], check=True)
    inputs = [f"--input={name}={folder / 'in' / name}.jsonl" for name in SOURCES]
    subprocess.run([PROGRAM, "replay", "--config", "examples/quickstart/tidemark.yaml", *inputs,
                    "--now", "2030-01-01T00:00:00Z", "--backend", "cpu", "--out", folder / "out"],
                   check=True, cwd=ROOT)
    return folder


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_is_valid(name):
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("topic", ["verdicts", "limits", "alerts", "releases"])
def test_decisions_fit(run, topic):
    checker = validator(f"{topic}.v1")
    order = list(SCHEMAS[f"{topic}.v1.schema.json"]["required"])
    lines = lines_of(run / "out" / f"{topic}.jsonl")
    assert lines, "the run must produce some, or nothing is tested"
    if topic == "verdicts":
        # The rare ones are the interesting ones.
        lines = [line for line in lines if b'"verdict":"allow"' not in line][:LINES_MAX] + lines
    for line in lines[:2 * LINES_MAX]:
        value = json.loads(line)
        checker.validate(value)
        assert list(value) == order, "the order of fields is fixed"


def test_every_kind_of_verdict_and_limit_was_seen(run):
    verdicts = (run / "out/verdicts.jsonl").read_bytes()
    limits = (run / "out/limits.jsonl").read_bytes()
    for word in (b"allow", b"review", b"block"):
        assert b'"verdict":"' + word + b'"' in verdicts
    for word in (b"active", b"thin_file"):
        assert b'"status":"' + word + b'"' in limits


@pytest.mark.parametrize("topic", ["dead-letter", "late"])
def test_letters_fit(run, topic):
    checker = validator("letter")
    for line in lines_of(run / "out" / f"{topic}.jsonl")[:LINES_MAX]:
        checker.validate(json.loads(line))


def test_accepted_inputs_fit(run):
    dead = {name: set() for name in SOURCES}
    for line in lines_of(run / "out/dead-letter.jsonl"):
        letter = json.loads(line)
        dead[letter["topic"]].add(letter["offset"])
    for source in SOURCES:
        checker = validator(f"{source}.v1")
        for offset, line in enumerate(lines_of(run / "in" / f"{source}.jsonl")[:LINES_MAX]):
            if offset not in dead[source] and line.strip():
                checker.validate(json.loads(line))


def test_wrong_values_are_refused():
    checker = validator("payments.v1")
    good = {"event_id": "e", "merchant_id": "m", "type": "payment", "amount": "1.50",
            "event_time": "2025-01-01T00:00:00+08:00", "currency": "CNY"}
    assert checker.is_valid(good)
    for field, wrong in [("amount", 1.5), ("amount", "-1"), ("currency", "yuan"), ("event_id", ""),
                         ("event_time", "2025-01-01T00:00:00"), ("type", "sale")]:
        assert not checker.is_valid(good | {field: wrong}), field
    for field in good:
        assert not checker.is_valid({k: v for k, v in good.items() if k != field}), field
