"""`tidemark bench windows`, tiny: it agrees with the oracle and prints what it measured."""
import json
import os
import pathlib
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", SOURCE / "build/release/tools/tidemark")


def bench(*arguments):
    command = [PROGRAM, "bench", "windows", *arguments]
    return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("example", ["quickstart", "handbook"])
def test_prints_each_spread(example):
    done = bench(
        "--spec", f"examples/{example}/features.yaml", "--events", "1000", "--merchants", "50",
        "--batch", "256", "--runs", "1", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [load["name"] for load in result["loads"]] == ["uniform", "Zipf 1.1", "one with 90%"]
    assert result["loads"][0]["over_uniform"] == 1
    assert all(load["events_per_s"] > 0 for load in result["loads"])


def test_refuses_what_is_no_number():
    done = bench("--events", "none")
    assert done.returncode == 2 and "--events" in done.stderr
