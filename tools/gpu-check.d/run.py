#!/usr/bin/env python3
"""Checks and measures on a GPU what `tools/gpu-check pack` gathered in this folder.

Python's own library only. Exit status 0: everything that could run was right.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SANITIZED = "*FullTreesOfDepthEight*uda*:*LeafWise*uda*:*SeveralOutputs*uda*:*egment*uda*"


def call(*command, **settings):
    environment = dict(
        os.environ,
        LD_LIBRARY_PATH=f"{HERE}/lib",
        TIDEMARK_SOURCE_DIR=str(HERE),
        TIDEMARK_PROGRAM=f"{HERE}/bin/tidemark",
        TIDEMARK_WITH_CUDA="1",
        **settings,
    )
    done = subprocess.run(
        [str(part) for part in command], env=environment, cwd=HERE, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900,
    )  # fmt: skip
    return done.returncode, done.stdout


def device_of():
    fields = ["name", "driver_version", "clocks.max.sm", "clocks.max.mem", "memory.total"]
    status, text = call("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
    if status != 0:
        sys.exit(f"gpu-check: nvidia-smi answers: {text.strip()}")
    values = (part.strip() for part in text.splitlines()[0].split(","))
    return dict(zip(fields, values, strict=True))


def check(name, *command, expect="", **settings):
    """One check: its line is printed at once, its output only when it fails."""
    status, text = call(*command, **settings)
    right = status == 0 and re.search(expect, text) is not None
    outcome = "skipped" if status == 77 else "passed" if right else "FAILED"
    print(f"{outcome:8} {name}", flush=True)
    if outcome == "FAILED":
        print(text)
    return {"name": name, "outcome": outcome}


def checks():
    yield check(
        "kernels: the bits of the CPU", "bin/tests_kernels", "--gtest_filter=*uda*",
        "--gtest_brief=1", expect="PASSED",
    )  # fmt: skip
    yield check(
        "windows: the bytes of the CPU", "bin/tests_features", "--gtest_filter=*Cuda*",
        "--gtest_brief=1", expect="PASSED",
    )  # fmt: skip
    yield check("replay: the bytes of the CPU", "bash", "tests/kernels/cuda_replay_gpu_test.sh")
    if shutil.which("compute-sanitizer"):
        for tool, clean in (
            ("memcheck", "ERROR SUMMARY: 0 errors"),
            ("racecheck", "RACECHECK SUMMARY: 0 hazards"),
            ("synccheck", "ERROR SUMMARY: 0 errors"),
        ):
            yield check(
                f"compute-sanitizer {tool}", "compute-sanitizer", "--tool", tool,
                "bin/tests_kernels", f"--gtest_filter={SANITIZED}", "--gtest_brief=1", expect=clean,
            )  # fmt: skip


def models():
    """The made forests, and what was packed with the tests."""
    packed = [f"{model.name}={model}" for model in sorted((HERE / "models").iterdir())]
    return ["made-F1", "made-F2", *packed]


def measure():
    """Medians of Google Benchmark; an entry is {"name", "us", "per_s", "label"}."""
    status, text = call(
        "bin/bench_kernels", *models(), "--benchmark_format=json", "--benchmark_min_time=0.2",
        "--benchmark_repetitions=3", "--benchmark_report_aggregates_only=true",
        TIDEMARK_BENCH_SPEC="examples/quickstart/features.yaml",
    )  # fmt: skip
    if status != 0:
        sys.exit(f"gpu-check: bench_kernels ends with {status}:\n{text}")
    unit_us = {"ns": 1e-3, "us": 1.0, "ms": 1e3}
    for entry in json.loads(text[text.index("{\n") :])["benchmarks"]:
        if entry["aggregate_name"] != "median":
            continue
        rate = next(
            (entry[key] for key in ("items_per_second", "bytes_per_second", "wavefronts_per_s")
             if key in entry), None,
        )  # fmt: skip
        yield {
            "name": re.sub(r"/(manual|real)_time.*", "", entry["name"]),
            "us": entry["real_time"] * unit_us[entry["time_unit"]],
            "per_s": rate,
            "label": entry.get("label", ""),
        }


def counts(rows=262144):
    """What ncu counts of each walk, per row: {model: {"wavefronts": ..., "instructions": ...}}."""
    metrics = {
        "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum": "wavefronts",
        "sm__inst_executed.sum": "instructions",
    }
    found = {}
    for model in models() if shutil.which("ncu") else []:
        name = model.split("=")[0]
        _, text = call(
            "ncu", "--clock-control", "none", "--csv", "-k", "regex:walk_codes", "-c", "1",
            "--metrics", ",".join(metrics), "bin/bench_kernels", model,
            f"--benchmark_filter=^{name}/walk/", TIDEMARK_BENCH_ROWS=str(rows),
        )  # fmt: skip
        for metric, short in metrics.items():
            value = re.search(rf'"{re.escape(metric)}","[^"]*","([0-9,.]+)"', text)
            if value:
                found.setdefault(name, {})[short] = float(value[1].replace(",", "")) / rows
    return found


def table_of(result):
    lines = [
        f"# GPU: {result['device']['name']}, {result['date']}",
        "",
        "Measured by `tools/gpu-check` (commit "
        f"{result['commit'][:12]}; driver {result['device']['driver_version']}, highest clocks "
        f"{result['device']['clocks.max.sm']} and {result['device']['clocks.max.mem']}): medians "
        "of three, times between two CUDA events, `score_from_host` wall clock with the copies.",
        "",
        "| check | |",
        "|---|---|",
    ]
    lines += [f"| {entry['name']} | {entry['outcome']} |" for entry in result["checks"]]
    lines += ["", "| benchmark | us | rate | kernel |", "|---|---|---|---|"]
    for entry in result["benchmarks"]:
        rate = f"{entry['per_s']:.3g}" if entry["per_s"] else ""
        unit = {"limit/copy": " bytes/s", "limit/shared": " wavefronts/s"}.get(
            entry["name"], " rows/s"
        )
        lines.append(f"| {entry['name']} | {entry['us']:.1f} | {rate}{unit} | {entry['label']} |")
    shares = list(shares_of(result))
    if shares:
        lines += [
            "",
            "Counted by ncu, and the share of the measured limit of shared memory that is reached:",
            "",
            "| model | wavefronts a row | warp instructions a row | share of the limit |",
            "|---|---|---|---|",
        ]
        lines += shares
    return "\n".join(lines) + "\n"


def shares_of(result):
    rates = {entry["name"]: entry["per_s"] for entry in result["benchmarks"]}
    for name, entry in result["counts"].items():
        walk = next(rate for key, rate in rates.items() if key.startswith(f"{name}/walk/"))
        share = entry["wavefronts"] * walk / rates["limit/shared"]
        yield (
            f"| {name} | {entry['wavefronts']:.1f} | {entry['instructions']:.1f} | {share:.0%} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="results", help="folder of the results")
    out = pathlib.Path(parser.parse_args().out).resolve()
    device = device_of()
    print(f"{device['name']}, driver {device['driver_version']}", flush=True)
    result = {
        "date": datetime.date.today().isoformat(),
        "commit": (HERE / "commit").read_text().strip(),
        "device": device,
        "checks": list(checks()),
    }
    result["benchmarks"] = list(measure())
    result["counts"] = counts()
    out.mkdir(parents=True, exist_ok=True)
    short = re.sub(r"[^a-z0-9]+", "-", device["name"].lower().replace("nvidia", "")).strip("-")
    name = f"gpu-{short}-{result['date']}"
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / f"{name}.md").write_text(table_of(result))
    print(table_of(result))
    return int(any(entry["outcome"] == "FAILED" for entry in result["checks"]))


if __name__ == "__main__":
    sys.exit(main())
