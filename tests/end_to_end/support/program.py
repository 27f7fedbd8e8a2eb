# Runs the `tidemark` program as a user would: arguments in, exit status, stdout and one line on
# stderr out. Knows the quickstart's configuration and nothing of Kafka.
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
PROGRAM = pathlib.Path(os.environ.get("TIDEMARK_PROGRAM", ROOT / "build/release/tools/tidemark"))
CONFIG = "examples/quickstart/tidemark.yaml"
# What stands for the Kafka timestamp, in replays and on loaded records: after every event here.
NOW = "2026-06-01T00:00:00Z"
NOW_MS = 1780272000000

# A sanitized build is ten times slower, and its state tables are kept small. The tests of the cuda
# backend name it; elsewhere an emulated device would only cost time.
SMALL = ("capacity.merchants_max=20000", "capacity.dedup_events_max=500000", "backend=cpu")


def settings(*values):
    flags = []
    for value in values:
        flags += ["--set", value]
    return flags


def run(*arguments, timeout=300, environment=()):
    return subprocess.run(
        [str(PROGRAM), *map(str, arguments)], cwd=ROOT, text=True, capture_output=True,
        timeout=timeout, env={**os.environ, **dict(environment)},
    )  # fmt: skip


def run_well(*arguments, timeout=300):
    done = run(*arguments, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout


def replay(inputs, out, *values, config=CONFIG, now=NOW, rows=None, backend=None, timeout=600):
    """Replays {source: file}; gives the summary. `values` are settings."""
    command = ["replay", "--config", config, "--out", out, "--now", now, "--json"]
    for source, path in inputs.items():
        command += ["--input", f"{source}={path}"]
    if rows:
        command += ["--rows", rows]
    if backend:
        command += ["--backend", backend]
    return json.loads(run_well(*command, *settings(*SMALL, *values), timeout=timeout))


def fails(status, *arguments):
    """Runs what must fail with this status and gives its one line on stderr."""
    done = run(*arguments)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, f"expected one line on stderr, got: {done.stderr}"
    return lines[0]
