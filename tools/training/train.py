"""Trains the fraud and the credit forest of a bundle from rows of `tidemark replay --rows`."""

import argparse
import math
import re
import sys
from pathlib import Path

import lightgbm
import numpy as np

import bundle as bundles
from rows import (TrainingError, credit_labels, credit_sample, fraud_labels, load_feedback,
                  load_rows)

HERE = Path(__file__).resolve().parent
QUICKSTART = HERE.parent.parent / "examples" / "quickstart" / "bundle"

# Single-threaded and seeded: the same rows give the same bytes.
PARAMETERS = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 100,
    "lambda_l2": 5.0, "feature_fraction": 0.8, "seed": 20, "deterministic": True,
    "force_row_wise": True, "num_threads": 1, "verbosity": -1,
}

# Days of one merchant are much alike, and few merchants default: smaller trees, larger leaves.
CREDIT_PARAMETERS = PARAMETERS | {
    "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 400, "feature_fraction": 0.5,
}

# What a sweep cannot know (the event itself) or what is too short for a credit decision.
NOT_FOR_CREDIT = re.compile(r"^(amount|is_)|_1h$|_24h$")

GOLDEN_ROWS = 64  # that a bundle keeps with each model, to be scored at every start

ALERT_SHARE = {"review": 0.015, "block": 0.002}
# The thresholds are never below these probabilities: scores that small differ by what a stream
# lacks (profiles, history) more than by fraud; a quarter of a stream without profiles was held up.
SCORE_LEAST = {"review": 0.05, "block": 0.5}


def within(least, most, kind):
    """For argparse: a number between two bounds, both outside."""
    def read(text):
        value = kind(text)
        if not least < value < most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        return value
    return read


def arguments():
    parser = argparse.ArgumentParser(prog="tools/train", description=__doc__)
    parser.add_argument("--rows", required=True, help="CSV of `tidemark replay --rows`")
    parser.add_argument("--feedback", required=True, help="feedback events, JSON Lines")
    parser.add_argument("--out", required=True, help="directory of the bundle")
    parser.add_argument("--name", default="bundle", help="name of the bundle (default: bundle)")
    parser.add_argument("--version", default="1", help="version of the bundle (default: 1)")
    parser.add_argument("--trees", type=within(0, 100_001, int), default=200,
                        help="trees a forest (default: 200)")
    parser.add_argument("--horizon-days", type=within(0, 36_501, int), default=90,
                        help="a default counts within")
    parser.add_argument("--test-share", type=within(0, 1, float), default=0.3,
                        help="last part of the time that models do not see (default: 0.3)")
    parser.add_argument("--policy", help="policy.yaml (default: the quickstart's; without a "
                        "credit model one that gives verdicts only)")
    parser.add_argument("--reasons", default=QUICKSTART / "reasons.yaml")
    parser.add_argument("--no-credit", action="store_true", help="a fraud model alone")
    parser.add_argument("--command", default="", help="kept in the manifest: how to make it again")
    return parser.parse_args()


def auc_and_ks(labels, scores):
    """Area under the ROC curve by ranks (ties share theirs), Kolmogorov-Smirnov distance."""
    order = np.argsort(scores, kind="stable")
    ordered, hits = scores[order], labels[order] == 1
    positives, negatives = hits.sum(), (~hits).sum()
    if positives == 0 or negatives == 0:
        return float("nan"), float("nan")
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    below_hits, below_misses = np.cumsum(hits)[ends], np.cumsum(~hits)[ends]
    steps_hits = np.diff(below_hits, prepend=0)
    steps_misses = np.diff(below_misses, prepend=0)
    won = (steps_hits * (below_misses - steps_misses / 2)).sum()
    ks = np.abs(below_hits / positives - below_misses / negatives).max()
    return float(won / (positives * negatives)), float(ks)


def fit(features, values, labels, trees, role, parameters):
    for kind, count in (("positive", labels.sum()), ("negative", (labels == 0).sum())):
        if count < 20:
            raise TrainingError(f"{role}: only {int(count)} {kind} rows to learn from; 20 are "
                                "needed. Take more merchants or days")
    data = lightgbm.Dataset(values, labels, feature_name=list(features), free_raw_data=True)
    return lightgbm.train(parameters, data, num_boost_round=trees)


def model_text(model):
    """The model without the list of parameters: they say nothing about the forest, and name
    defaults that change with the version."""
    text = model.model_to_string()
    return text[:text.index("\nparameters:")]


def golden_rows(text, features, values):
    """A few rows from all over the data, scored by the file that will be in the bundle."""
    chosen = values[np.linspace(0, len(values) - 1, GOLDEN_ROWS).astype(int)]
    scores = lightgbm.Booster(model_str=text).predict(chosen, raw_score=True, num_threads=1)
    return bundles.golden_csv(features, chosen, scores)


def report(role, labels, scores, train_labels):
    auc, ks = auc_and_ks(labels, scores)
    print(f"{role}: {len(train_labels)} rows, {int(train_labels.sum())} positive; "
          f"test {len(labels)} rows, {int(labels.sum())} positive, AUC {auc:.4f}, KS {ks:.4f}")
    return {"train_rows": len(train_labels), "train_positive": int(train_labels.sum()),
            "test_rows": len(labels), "test_positive": int(labels.sum()),
            "auc": round(auc, 6), "ks": round(ks, 6)}


def train_fraud(rows, features, feedback, split_ms, options):
    labels = fraud_labels(rows, feedback)
    values = rows[features].to_numpy()
    past = (rows["time_ms"] < split_ms).to_numpy()
    model = fit(features, values[past], labels[past], options.trees, "fraud", PARAMETERS)
    scores = model.predict(values[~past], num_threads=1)
    metrics = report("fraud", labels[~past], scores, labels[past])
    thresholds = {}
    for name, share in ALERT_SHARE.items():
        thresholds[name] = max(round(float(np.quantile(scores, 1 - share)), 6), SCORE_LEAST[name])
        hit = scores >= thresholds[name]
        metrics[f"{name}_share"] = round(float(hit.mean()), 6)
        precision = float(labels[~past][hit].mean()) if hit.any() else math.nan
        metrics[f"{name}_precision"] = round(precision, 6)
    if not 0 < thresholds["review"] < thresholds["block"]:
        raise TrainingError("fraud: the scores do not tell events apart: no thresholds")
    # The typical approved merchant: the median row among good payments of the training time.
    approved = past & (labels == 0)
    if "is_payment" in features:
        approved &= (rows["is_payment"] == 1).to_numpy()
    with np.errstate(all="ignore"):
        medians = np.nanmedian(values[approved], axis=0).astype(np.float32)
    return model, thresholds, metrics, dict(zip(features, medians))


def train_credit(rows, features, feedback, split_ms, options):
    used = [name for name in features if not NOT_FOR_CREDIT.search(name)]
    sample = rows.iloc[credit_sample(rows)]
    labels = credit_labels(sample, feedback, options.horizon_days)
    known = labels >= 0
    sample, labels = sample[known], labels[known]
    values = sample[used].to_numpy()
    # Whether a merchant of the training time defaults is known only after the horizon; the split by
    # merchant keeps what a merchant did from both sides.
    tested = sample["merchant_id"].map(lambda m: sum(m.encode()) % 10 < 3).to_numpy()
    model = fit(used, values[~tested], labels[~tested], options.trees, "credit",
                CREDIT_PARAMETERS)
    scores = model.predict(values[tested], num_threads=1)
    return model, used, report("credit", labels[tested], scores, labels[~tested])


def main():
    options = arguments()
    if options.policy is None:
        options.policy = (HERE / "bootstrap" if options.no_credit else QUICKSTART) / "policy.yaml"
    rows, manifest = load_rows(options.rows)
    features = manifest["features"]
    feedback = load_feedback(options.feedback)
    first, last = int(rows["time_ms"].min()), int(rows["time_ms"].max())
    split_ms = int(first + (last - first) * (1 - options.test_share))
    fraud, thresholds, fraud_metrics, baseline = train_fraud(rows, features, feedback, split_ms,
                                                             options)
    text = model_text(fraud)
    models = {"fraud": (text, features, golden_rows(text, features, rows[features].to_numpy()))}
    metrics = {"fraud": fraud_metrics}
    if not options.no_credit:
        credit, used, metrics["credit"] = train_credit(rows, features, feedback, split_ms, options)
        text = model_text(credit)
        models["credit"] = (text, used, golden_rows(text, used, rows[used].to_numpy()))
    training = {"rows": len(rows), "from": rows["event_time"].min(), "to": rows["event_time"].max(),
                "trainer": f"lightgbm {lightgbm.__version__}", "trees": options.trees,
                "credit_horizon_days": options.horizon_days}
    if options.command:
        training["command"] = options.command
    bundles.write_bundle(options.out, name=options.name, version=options.version,
                         spec=manifest["spec"], models=models, thresholds=thresholds,
                         baseline=baseline, training=training | metrics, policy=options.policy,
                         reasons=options.reasons)
    print(f"bundle {options.name} {options.version} in {options.out}: review from "
          f"{thresholds['review']}, block from {thresholds['block']}")


if __name__ == "__main__":
    try:
        main()
    except (TrainingError, OSError) as error:
        sys.exit(f"tools/train: {error}")
