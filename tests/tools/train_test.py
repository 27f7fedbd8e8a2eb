"""tools/train on events made up here: the same bytes twice, a bundle that replay loads, one line on
stderr for what cannot be learned from."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", SOURCE / "build/release/tools/tidemark")
# What the engine would put into the dead letters.
ODD_FEEDBACK = [b"[1]", b"null", b"{", b"\xff",
                b'{"type":"fraud","merchant_id":["m"],"ref_event_id":"p","event_time":1}',
                b'{"type":"fraud","merchant_id":"m","ref_event_id":{"a":1},"event_time":1}',
                b'{"type":"default","merchant_id":"m","event_time":true}',
                b'{"type":"default","merchant_id":"m","event_time":1e400}']


def run(*command):
    return subprocess.run([*map(str, command)], cwd=SOURCE, capture_output=True, text=True,
                          check=False)


def replay(events, out, bundle, *more):
    inputs = [f"--input={name}={events}/{name}.jsonl" for name in ("payments", "feedback")]
    done = run(PROGRAM, "replay", "--config", "examples/quickstart/tidemark.yaml", "--set",
               f"bundle={bundle}", "--set", "capacity.merchants_max=1000", "--set",
               "capacity.dedup_events_max=100000", "--set", "backend=cpu", *inputs, "--now",
               "2030-01-01T00:00:00Z", "--out", out, *more)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    done = run(PROGRAM, "generate", "--merchants", 40, "--days", 90, "--seed", 5, "--out", folder)
    assert done.returncode == 0, done.stderr
    replay(folder, folder / "out", "tools/training/bootstrap", "--rows", folder / "rows.csv")
    return folder


def train(given, out, *more, feedback="feedback.jsonl"):
    return run(sys.executable, SOURCE / "tools/training/train.py", "--rows", given / "rows.csv",
               "--feedback", given / feedback, "--out", out, "--trees", 5, *more)


def test_same_bytes_and_odd_feedback_changes_none(given, tmp_path):
    odd = (given / "feedback.jsonl").read_bytes() + b"\n".join(ODD_FEEDBACK)
    (given / "odd.jsonl").write_bytes(odd)
    for out, feedback in (("first", "feedback.jsonl"), ("second", "odd.jsonl")):
        done = train(given, tmp_path / out, "--no-credit", feedback=feedback)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == ["fraud.golden.csv", "fraud.txt", "manifest.yaml", "policy.yaml",
                     "reasons.yaml"]
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("name", ["shop-2", "a: b # \"c\"\n", "null", "7", "[x"])
def test_replay_loads_the_bundle_under_any_name(given, tmp_path, name):
    done = train(given, tmp_path / "bundle", "--no-credit", "--name", name, "--version", name)
    assert done.returncode == 0, done.stderr
    replay(given, tmp_path / "out", tmp_path / "bundle")
    release = json.loads((tmp_path / "out/releases.jsonl").read_text().splitlines()[0])
    assert release["bundle"] == {"name": name, "version": name}


@pytest.mark.parametrize(("more", "says"), [
    ([], "credit: only"), (["--trees", 0], "--trees: 0 is not between"),
    (["--test-share", 1], "--test-share: 1 is not between"),
    (["--rows", "nowhere.csv"], "nowhere.csv.manifest.json")])
def test_one_line_says_what_cannot_be_done(given, tmp_path, more, says):
    done = train(given, tmp_path / "bundle", *more)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert says in done.stderr.splitlines()[-1], done.stderr
    assert not (tmp_path / "bundle/manifest.yaml").exists()
