#!/usr/bin/env python3
"""Times our forests beside other engines in one run, and writes a table, a plot and JSON.

Every engine predicts the same rows with the same model file; its answers are compared with the
trainer's before the clock starts, and ours must be the trainer's bits. Engines take turns, round by
round, since a shared machine is never twice the same; the figures are medians of the rounds, and
what counts is the ratio to the fastest peer at its best batch size.
"""
import argparse
import contextlib
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

import contenders
import models
import numpy

BATCHES = [1, 8, 32, 128, 512, 4096, 32768, 262144, 1048576]


def prepare(make, seconds):
    """Compilers may take very long, so they first run in a process that can be stopped, and with it
    whatever it has started: a group of its own."""

    def alone():
        os.setpgid(0, 0)
        make()

    process = multiprocessing.get_context("fork").Process(target=alone)
    begin = time.monotonic()
    process.start()
    try:
        process.join(seconds)
        if process.is_alive():
            raise contenders.Unavailable(f"compiling took more than {seconds:.0f} s")
        if process.exitcode != 0:
            raise contenders.Unavailable(
                f"compiling failed after {time.monotonic() - begin:.0f} s")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def peers_of(model, work, options):
    makers = {
        "LightGBM": lambda: contenders.LightGbm(model),
        "XGBoost": lambda: contenders.XgBoost(model),
        "Treelite (gtil)": lambda: contenders.Treelite(model),
        "TL2cgen (compiled)": lambda: contenders.Tl2cgen(model, work, options.threads),
        "lleaves": lambda: contenders.Lleaves(model, work),
        "ONNX Runtime": lambda: contenders.OnnxRuntime(model, models.FEATURES),
    }
    del makers["XGBoost" if model.suffix == ".txt" else "LightGBM"]
    if options.engines:
        makers = {name: maker for name, maker in makers.items() if name in options.engines}
    found, missing = [], {}
    for name, maker in makers.items():
        try:
            if name in ("TL2cgen (compiled)", "lleaves"):
                prepare(maker, options.compile_seconds)
            found.append(maker())
        except Exception as error:  # whatever stops an engine is a line of the report
            missing[name] = str(error).splitlines()[0][:160] if str(error) else repr(error)
            print(f"  {name}: not measured: {missing[name]}", file=sys.stderr)
    return found, missing


def check(program, model, trainer, peers, rows, work):
    """Ours to the bit, the others' largest deviation."""
    numpy.save(work / "check.npy", rows)
    subprocess.run([program, "score", "--model", model, "--rows", work / "check.npy", "--out",
                    work / "scores.npy", "--backend", "cpu"], check=True)
    trainer.set_threads(1)
    expected = numpy.asarray(trainer.predict(rows), dtype=numpy.float64)
    ours = numpy.load(work / "scores.npy")
    if ours.tobytes() != expected.tobytes():
        sys.exit(f"{model}: our scores are not the trainer's")
    deviations = {"tidemark": 0.0}
    for peer in peers:
        peer.set_threads(1)
        deviations[peer.name] = float(numpy.max(numpy.abs(peer.predict(rows) - expected)))
    return deviations


def explain(ours, trainer, rows, options, work):
    """Milliseconds a row: ours against one reference, the trainer's own values by its covers."""
    few = rows[:8 if options.quick else 24]
    numpy.save(work / "explained.npy", rows[:256])
    numpy.save(work / "baseline.npy", rows[300:301])
    found = {"tidemark": [], trainer.name: []}
    for _ in range(options.rounds):
        found["tidemark"].append(
            ours.reasons_ms(work / "explained.npy", work / "baseline.npy", work))
        begin = time.perf_counter()
        trainer.explain(few)
        found[trainer.name].append((time.perf_counter() - begin) * 1e3 / len(few))
    return {name: statistics.median(times) for name, times in found.items()}


def compare(trainer_name, shape, options, work):
    model = models.train(trainer_name, shape, work, options.threads)
    rows = models.matrix(2048 if options.quick else 65536, 11)
    rows_file = work / "rows.npy"
    numpy.save(rows_file, rows)
    ours = contenders.Ours(options.program, model, rows_file)
    peers, missing = peers_of(model, work, options)
    trainer = contenders.LightGbm(model) if model.suffix == ".txt" else contenders.XgBoost(model)
    deviations = check(options.program, model, trainer, peers, rows[:4096], work)
    batches = [batch for batch in BATCHES if batch <= options.largest]
    large = numpy.resize(rows, (max(batches[-1], len(rows)), models.FEATURES))
    result = {"model": shape, "trainer": trainer_name, "deviations": deviations,
              "missing": missing, "rates": {}}
    for threads in sorted({1, options.threads}):
        rounds = {engine.name: [] for engine in (ours, *peers)}
        for _ in range(options.rounds):
            rounds[ours.name].append(ours.measure(batches, threads, options.seconds))
            for peer in peers:
                rounds[peer.name].append(peer.measure(large, batches, threads, options.seconds))
        result["rates"][str(threads)] = {
            name: {batch: statistics.median(one[batch] for one in found if batch in one)
                   for batch in batches if any(batch in one for one in found)}
            for name, found in rounds.items()
        }
    result["load"], result["kernel"] = ours.load, ours.kernel
    trainer.set_threads(1)
    result["reasons_ms"] = explain(ours, trainer, rows, options, work)
    return result


def machine():
    """The processor, its cores, and how busy it was when the run began."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return (f"{names[0] if names else 'unknown processor'}, {multiprocessing.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.1f} at the start, {time.strftime('%Y-%m-%d')}")


def best_of(rates):
    """Ours and the fastest peer at their best batch sizes, and of one row: (ours, name, theirs)."""
    best = {name: max(by_batch.values()) for name, by_batch in rates.items() if by_batch}
    ones = {name: 1e6 / by_batch[1] for name, by_batch in rates.items() if 1 in by_batch}
    ours, our_one = best.pop("tidemark"), ones.pop("tidemark")
    peer = max(best, key=best.get, default=None)
    quick = min(ones, key=ones.get, default=None)
    return (ours, peer, best.get(peer)), (our_one, quick, ones.get(quick))


def rates_table(results):
    lines = ["| model | threads | ours, rows/s at best | fastest peer, rows/s at best | ratio |",
             "|---|---|---|---|---|"]
    for result in results:
        for threads, rates in result["rates"].items():
            (ours, peer, theirs), _ = best_of(rates)
            lines.append(f"| {result['model']} ({result['trainer']}) | {threads} | {ours:,.0f} | "
                         + (f"{theirs:,.0f} ({peer}) | {ours / theirs:.1f} |" if peer else "| |"))
    return lines


def few_rows_table(results):
    """One thread: a single row, 32 rows, reasons, and the load."""
    lines = ["| model | one row, us | fastest peer's, us | 32 rows, us | reasons, ms a row | "
             "trainer's, ms | load, ms | first load, ms |", "|---|---|---|---|---|---|---|---|"]
    for result in results:
        rates, load = result["rates"]["1"], result["load"]
        _, (one, quick, theirs) = best_of(rates)
        few = f"{32e6 / rates['tidemark'][32]:.0f}" if 32 in rates["tidemark"] else ""
        reasons = dict(result["reasons_ms"])
        mine = reasons.pop("tidemark")
        trainers = "".join(f"{ms:.2f}" for ms in reasons.values())
        lines.append(
            f"| {result['model']} ({result['trainer']}) | {one:.2f} | "
            + (f"{theirs:.1f} ({quick})" if quick else "")
            + f" | {few} | {mine:.3f} | {trainers} | "
            f"{load['load_ms']:.0f} ({load['bytes'] / 1e6:.1f} MB, "
            f"{load['bytes'] / 1e3 / load['load_ms']:.0f} MB/s) | {load['first_load_ms']:.0f} |")
    return lines


def table(results, options):
    lines = [f"`{options.command}`", "", f"On {options.machine}.", "", *rates_table(results), "",
             "With one thread:", "", *few_rows_table(results), "",
             "![Rows per second by batch size](forest.svg)"]
    for result in results:
        lines += ["", f"### {result['model']} ({result['trainer']})", "",
                  f"Ours: {result['kernel']}; read in {result['load']['import_ms']:.0f} ms, "
                  f"compiled in {result['load']['compile_ms']:.0f} ms."]
        for threads, rates in result["rates"].items():
            batches = sorted({batch for by_batch in rates.values() for batch in by_batch})
            lines += ["", f"Rows/s with {threads} thread{'s' if threads != '1' else ''}:", "",
                      "| engine | largest deviation | " + " | ".join(map(str, batches)) + " |",
                      "|---|---|" + "---|" * len(batches)]
            for name, by_batch in rates.items():
                cells = [f"{by_batch[b]:,.0f}" if b in by_batch else "" for b in batches]
                lines.append(f"| {name} | {result['deviations'][name]:.2g} | "
                             + " | ".join(cells) + " |")
        for name, why in result["missing"].items():
            lines.append(f"\n{name} was not measured: {why}.")
    return "\n".join(lines) + "\n"


def plot(results, path):
    """One panel a model: the columns are the shapes, the rows the trainers."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "tidemark"
    shapes = list(dict.fromkeys(result["model"] for result in results))
    trainers = list(dict.fromkeys(result["trainer"] for result in results))
    figure, axes = pyplot.subplots(len(trainers), len(shapes), squeeze=False,
                                   figsize=(5 * len(shapes), 4 * len(trainers)))
    for result in results:
        axis = axes[trainers.index(result["trainer"])][shapes.index(result["model"])]
        for name, by_batch in result["rates"]["1"].items():
            axis.loglog(list(by_batch), list(by_batch.values()), marker="o", label=name,
                        linewidth=3 if name == "tidemark" else 1.2)
        axis.set_title(f"{result['model']} ({result['trainer']}), one thread")
        axis.set_xlabel("rows of a call")
        axis.set_ylabel("rows/s")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.tight_layout()
    # Nothing but the picture: the same rates give the same bytes.
    figure.savefig(path, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))


MARKS = ("<!-- measured: by tools/bench forest --results -->", "<!-- end of what was measured -->")


def parts_of(page):
    """What stands before and behind the measured part of a page."""
    whole = page.read_text()
    if any(whole.count(mark) != 1 for mark in MARKS):
        sys.exit(f"{page}: one '{MARKS[0]}' and one '{MARKS[1]}' are due")
    begin, rest = whole.split(MARKS[0])
    return begin, rest.split(MARKS[1])[1]


def put_into(page, text):
    begin, end = parts_of(page)
    page.write_text(f"{begin}{MARKS[0]}\n\n{text}\n{MARKS[1]}{end}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the tidemark program")
    parser.add_argument("--models", default="small,F1,F2,large", help="of these")
    parser.add_argument("--trainers", default="lightgbm,xgboost")
    parser.add_argument("--out", default="out/bench-forest", help="folder of table, plot, JSON")
    parser.add_argument("--work", default="out/bench-forest/work", help="models and compiled code")
    parser.add_argument("--threads", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each batch size")
    parser.add_argument("--largest", type=int, default=BATCHES[-1], help="batch")
    parser.add_argument("--compile-seconds", type=float, default=600,
                        help="how long TL2cgen and lleaves may compile a model, each")
    parser.add_argument("--results", help="page to put the tables into, the plot beside it")
    parser.add_argument("--engines", help="only these, for example LightGBM,XGBoost")
    parser.add_argument("--quick", action="store_true", help="a tiny model, trainers only")
    options = parser.parse_args()
    options.command = "tools/bench forest " + " ".join(
        argument for argument in sys.argv[1:] if argument not in ("--program", options.program))
    if options.quick:
        options.models, options.largest, options.rounds, options.seconds = "tiny", 512, 1, 0.01
        options.engines = "LightGBM,XGBoost"
    options.engines = options.engines.split(",") if options.engines else []
    work, out = pathlib.Path(options.work), pathlib.Path(options.out)
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    options.machine = machine()
    if options.results:
        parts_of(pathlib.Path(options.results))  # now, not after an hour
    results = []
    for shape in options.models.split(","):
        for trainer in options.trainers.split(","):
            print(f"{shape} ({trainer})", file=sys.stderr, flush=True)
            results.append(compare(trainer, shape, options, work))
            # After every model: a run that is stopped keeps what it has.
            (out / "forest.json").write_text(json.dumps(results, indent=1) + "\n")
            (out / "forest.md").write_text(table(results, options))
    if not options.quick:
        plot(results, out / "forest.svg")
    if options.results:
        page = pathlib.Path(options.results)
        put_into(page, table(results, options))
        if not options.quick:
            shutil.copy(out / "forest.svg", page.with_suffix(".svg"))
    print(table(results, options))


if __name__ == "__main__":
    main()
