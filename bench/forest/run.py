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
    result["load_ms"], result["kernel"] = ours.load_ms, ours.kernel
    trainer.set_threads(1)
    result["reasons_ms"] = explain(ours, trainer, rows, options, work)
    return result


def table(results, options):
    lines = ["# Forests beside other engines", "", f"`{options.command}`", ""]
    lines += ["| model | threads | ours, rows/s at best | fastest peer, rows/s at best | ratio | "
              "one row: ours, us | one row: fastest peer, us |", "|---|---|---|---|---|---|---|"]
    for result in results:
        for threads, rates in result["rates"].items():
            best = {name: max(by_batch.values()) for name, by_batch in rates.items() if by_batch}
            ones = {name: 1e6 / by_batch[1] for name, by_batch in rates.items() if 1 in by_batch}
            ours, our_one = best.pop("tidemark"), ones.pop("tidemark")
            peer = max(best, key=best.get) if best else None
            quick = min(ones, key=ones.get) if ones else None
            lines.append(
                f"| {result['model']} ({result['trainer']}) | {threads} | {ours:,.0f} | "
                + (f"{best[peer]:,.0f} ({peer}) | {ours / best[peer]:.1f} | " if peer else "| | ")
                + f"{our_one:.2f} | " + (f"{ones[quick]:.1f} ({quick}) |" if quick else "|"))
    for result in results:
        lines += ["", f"## {result['model']} ({result['trainer']})", "",
                  f"Ours: {result['kernel']}; loaded in {result['load_ms']:.0f} ms.", ""]
        reasons = dict(result["reasons_ms"])
        mine = reasons.pop("tidemark")
        for name, theirs in reasons.items():
            lines.append(f"Reasons on one thread: {mine:.3f} ms a row, {name}'s contributions "
                         f"{theirs:.2f} ms, {theirs / mine:.0f} times as long.")
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
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "tidemark"
    figure, axes = pyplot.subplots(1, len(results), figsize=(5 * len(results), 4), squeeze=False)
    for axis, result in zip(axes[0], results, strict=True):
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
    parser.add_argument("--compile-seconds", type=float, default=600)
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
    results = []
    for shape in options.models.split(","):
        for trainer in options.trainers.split(","):
            print(f"{shape} ({trainer})", file=sys.stderr, flush=True)
            results.append(compare(trainer, shape, options, work))
    (out / "forest.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "forest.md").write_text(table(results, options))
    if not options.quick:
        plot(results, out / "forest.svg")
    print(table(results, options))


if __name__ == "__main__":
    main()
