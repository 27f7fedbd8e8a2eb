"""Compares XGBoost on the Handbook's own features with XGBoost on the engine's rows.

Same weeks, same parameters, same seed, one thread: the same inputs give the same figures.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xgboost

from handbook_features import KNOWN_AFTER_D, handbook_features, load_transactions
from handbook_protocol import TOP_CARDS, make_week, measure
from rows import TrainingError, load_rows

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "examples/handbook/tidemark.yaml"

# One thread, because sums of floats depend on how rows are shared out.
COMMON = {"objective": "binary:logistic", "tree_method": "hist", "seed": 0, "nthread": 1,
          "verbosity": 0}
# XGBoost's defaults, as the Handbook's baseline has them; and smaller steps over a part of rows and
# columns, which suit a week with 600 frauds better, whatever the features are.
TRAINERS = {
    "handbook": COMMON | {"rounds": 100, "max_depth": 6, "learning_rate": 0.3},
    "gentle": COMMON | {"rounds": 200, "max_depth": 5, "learning_rate": 0.05, "subsample": 0.8,
                        "colsample_bytree": 0.5, "min_child_weight": 3},
}

# Late enough in the Handbook's first three months for windows of 30 days two weeks back to be full;
# the tested weeks follow one another to the last day.
TRAIN_FROM = ["2018-05-20", "2018-05-27", "2018-06-03", "2018-06-10"]

MEASURES = {"auc": "AUC ROC", "ap": "average precision", f"cp{TOP_CARDS}":
            f"card precision at {TOP_CARDS}"}


def arguments():
    parser = argparse.ArgumentParser(prog="tools/handbook", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the transactions, CSV, also .xz or .gz")
    parser.add_argument("--rows", help="rows of `tidemark replay --rows` that are there (default: "
                        f"they are made, with {CONFIG})")
    parser.add_argument("--train-from", action="append", type=datetime.date.fromisoformat,
                        metavar="DATE", help="first day of a training week; the tested one begins "
                        f"14 days later (repeatable; default: {', '.join(TRAIN_FROM)})")
    parser.add_argument("--trainer", choices=TRAINERS, default="handbook",
                        help="XGBoost's defaults, or smaller steps (default: %(default)s)")
    parser.add_argument("--json", help="also write the results to this file")
    return parser.parse_args()


def run(*command):
    """Runs a program of ours; what it has to say goes to stderr, the results alone to stdout."""
    done = subprocess.run([*map(str, command)], cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise TrainingError(f"{Path(command[0]).name}: exit status {done.returncode}")


def tidemark():
    program = os.environ.get("TIDEMARK_PROGRAM")
    if program:
        return program
    built = subprocess.run([ROOT / "tools/build"], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        raise TrainingError("tools/build failed")
    return built.stdout.splitlines()[-1]


def make_rows(data, work):
    """The transactions as events, replayed: the engine's rows."""
    program = tidemark()
    run(ROOT / "tools/convert/handbook", "--in", Path(data).resolve(), "--out", work / "events")
    inputs = [f"--input={name}={work}/events/{name}.jsonl" for name in ("payments", "feedback")]
    run(program, "replay", "--config", CONFIG, *inputs, "--now", "2030-01-01T00:00:00Z",
        "--rows", work / "rows.csv", "--out", work / "out")
    return work / "rows.csv"


def engine_features(path, table):
    """The engine's columns; its rows must be the transactions, in their order."""
    rows, manifest = load_rows(path)
    expected = "p-" + table["TRANSACTION_ID"].astype(str)
    if len(rows) != len(table) or not np.array_equal(rows["event_id"].to_numpy(),
                                                     expected.to_numpy()):
        raise TrainingError(f"{path}: the rows are not one for each transaction of --data, in "
                            "their order")
    return rows[manifest["features"]]


def score(features, labels, week, trainer):
    """Trains on the one week and gives the scores of the other."""
    names = list(features.columns)
    values = features.iloc[week.train].to_numpy()
    train = xgboost.DMatrix(values, labels[week.train], feature_names=names, nthread=1)
    parameters = dict(TRAINERS[trainer])
    rounds = parameters.pop("rounds")
    model = xgboost.train(parameters, train, rounds)
    test = xgboost.DMatrix(features.iloc[week.test].to_numpy(), feature_names=names, nthread=1)
    return model.predict(test, output_margin=True)


def compare(table, sides, train_from, trainer):
    """A result for each week: counts, and each side's measures."""
    labels = table["TX_FRAUD"].to_numpy()
    results = []
    for first in train_from:
        week = make_week(table, first)
        result = {"train_from": str(first), "train_rows": len(week.train),
                  "train_frauds": int(labels[week.train].sum()), "test_rows": len(week.test),
                  "test_frauds": int(labels[week.test].sum())}
        for name, features in sides.items():
            result[name] = measure(table, week, score(features, labels, week, trainer))
        results.append(result)
    return results


def means(results, sides):
    return {name: {key: float(np.mean([result[name][key] for result in results]))
                   for key in MEASURES} for name in sides}


def line(label, handbook, engine):
    cells = []
    for key in MEASURES:
        gain = engine[key] - handbook[key]
        cells.append(f"{handbook[key]:.3f} {engine[key]:.3f} {gain:+.3f}")
    return f"{label:<12}" + "".join(f"{cell:>24}" for cell in cells)


def show(results, mean, counts):
    print(f"XGBoost on the Handbook's {counts['handbook']} features and on the engine's "
          f"{counts['engine']}; 7 days of training, {KNOWN_AFTER_D} until frauds are known, 7 of "
          "test")
    print(f"{'train from':<12}" + "".join(f"{name:>24}" for name in MEASURES.values()))
    print(f"{'':<12}" + f"{'Handbook engine  gain':>24}" * len(MEASURES))
    for result in results:
        print(line(result["train_from"], result["handbook"], result["engine"]))
    print(line("mean", mean["handbook"], mean["engine"]))


def main():
    options = arguments()
    train_from = options.train_from or [datetime.date.fromisoformat(day) for day in TRAIN_FROM]
    table = load_transactions(options.data)
    for first in train_from:
        make_week(table, first)  # refused before minutes are spent
    with tempfile.TemporaryDirectory() as work:
        rows = options.rows or make_rows(options.data, Path(work))
        sides = {"handbook": handbook_features(table), "engine": engine_features(rows, table)}
    results = compare(table, sides, train_from, options.trainer)
    mean = means(results, sides)
    counts = {name: features.shape[1] for name, features in sides.items()}
    show(results, mean, counts)
    if options.json:
        document = {"trainer": f"xgboost {xgboost.__version__}",
                    "parameters": TRAINERS[options.trainer], "features": counts,
                    "weeks": results, "mean": mean}
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except (TrainingError, OSError) as error:
        sys.exit(f"tools/handbook: {error}")
