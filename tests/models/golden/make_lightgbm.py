"""Trains LightGBM models of every kind and writes what the trainer predicts for hostile rows.

usage: make_lightgbm.py OUT

For each case NAME, in OUT: NAME (the model), NAME.rows (float32, C order), NAME.scores
(float64, rows x outputs, predict(raw_score=True)), NAME.links (float64, predict()), NAME.leaves
(int32, rows x trees); and cases.txt with one line `NAME rows features outputs trees` each.
"""

import pathlib
import re
import sys

import lightgbm
import numpy

ROWS = 1500
FEATURES = 12
HOSTILE = 1203  # not a multiple of any block
ZERO = numpy.float32(1e-35)


def matrix(rng, rows, categories):
    x = rng.standard_normal((rows, FEATURES)).astype(numpy.float32)
    x[:, 0] = numpy.round(x[:, 0] * 3)  # many exact zeros and ties
    x[rng.random(rows) < 0.3, 1] = 0
    x[:, 2] *= numpy.float32(1e-35)
    x[:, 3] *= numpy.float32(1e30)
    for column in (1, 4, 5):
        x[rng.random(rows) < 0.2, column] = numpy.nan
    for column in categories:
        x[:, column] = rng.integers(0, 70, rows)
    return x


def target(rng, x):
    z = numpy.nan_to_num(x, nan=0.7)
    return (z[:, 0] * z[:, 4] + numpy.sin(2 * z[:, 6]) + (z[:, 1] == 0) + z[:, 2] * 1e35
            + z[:, 3] / 1e30 + (z[:, 10] % 5 == 2) + 0.5 * (z[:, 11] % 7 > 3)
            + numpy.isnan(x[:, 5]) + 0.3 * rng.standard_normal(len(x)))


def hostile(rng, model_text, categories):
    """Rows whose values are the model's own cuts, their neighbours and what nobody expects."""
    cuts = [[] for _ in range(FEATURES)]
    trees = re.split(r"\nTree=\d+\n", model_text)[1:]
    for tree in trees:
        fields = dict(line.split("=", 1) for line in tree.split("\n") if "=" in line)
        if int(fields["num_leaves"]) < 2:
            continue
        for feature, cut in zip(fields["split_feature"].split(), fields["threshold"].split()):
            cuts[int(feature)].append(float(cut))
    up, down = numpy.float32(numpy.inf), numpy.float32(-numpy.inf)
    odd = [0.0, -0.0, numpy.nan, numpy.inf, -numpy.inf, 1e-45, -1e-45, 1e-40, 3.4028235e38,
           -3.4028235e38, -0.5, -0.999, -1.0, 0.5, 69.9, 1e9, 2147483648.0, 4294967296.0,
           16777216.0]
    for edge in (ZERO, -ZERO):
        odd += [edge, numpy.nextafter(edge, up), numpy.nextafter(edge, down)]
    rows = numpy.empty((HOSTILE, FEATURES), numpy.float32)
    for feature in range(FEATURES):
        with numpy.errstate(over="ignore"):
            near = numpy.array(cuts[feature] or [0.0]).astype(numpy.float32)
        pool = numpy.concatenate([near, numpy.nextafter(near, up), numpy.nextafter(near, down)])
        choice = rng.choice(pool, HOSTILE)
        if feature in categories:
            choice = rng.integers(-3, 80, HOSTILE).astype(numpy.float32)
        strange = rng.random(HOSTILE) < 0.15
        choice[strange] = rng.choice(numpy.array(odd, numpy.float32), int(strange.sum()))
        rows[:, feature] = choice
    return rows


def cases():
    """Name, parameters, rounds and categorical columns of each model."""
    base = dict(verbose=-1, num_threads=1, seed=7, min_data_in_leaf=5, deterministic=True)
    yield "binary", dict(base, objective="binary", num_leaves=31), 40, []
    yield "sigmoid", dict(base, objective="binary", sigmoid=0.7, num_leaves=15), 20, []
    yield "depth8", dict(base, objective="binary", num_leaves=255, max_depth=8), 20, []
    yield "leafwise", dict(base, objective="regression", num_leaves=255, min_data_in_leaf=2), 20, []
    yield "huge_trees", dict(base, objective="regression", num_leaves=700,
                             min_data_in_leaf=1), 6, []
    yield "many_cuts", dict(base, objective="regression", num_leaves=200, max_bin=4000,
                            min_data_in_bin=1, min_data_in_leaf=2), 40, []
    yield "zero_missing", dict(base, objective="binary", num_leaves=40,
                               zero_as_missing=True), 30, []
    yield "no_missing", dict(base, objective="binary", num_leaves=40, use_missing=False), 30, []
    yield "categorical", dict(base, objective="binary", num_leaves=40, min_data_per_group=1,
                              cat_smooth=1, max_cat_to_onehot=1), 30, [10, 11]
    yield "one_hot", dict(base, objective="regression", num_leaves=40,
                          max_cat_to_onehot=100), 20, [10]
    yield "multiclass", dict(base, objective="multiclass", num_class=3, num_leaves=15), 15, [10]
    yield "ova", dict(base, objective="multiclassova", num_class=4, num_leaves=9), 10, []
    yield "poisson", dict(base, objective="poisson", num_leaves=15), 15, []
    yield "gamma", dict(base, objective="gamma", num_leaves=15), 15, []
    yield "tweedie", dict(base, objective="tweedie", num_leaves=15), 15, []
    yield "cross_entropy", dict(base, objective="cross_entropy", num_leaves=15), 15, []
    yield "cross_entropy_lambda", dict(base, objective="cross_entropy_lambda",
                                       num_leaves=15), 15, []
    yield "sqrt", dict(base, objective="regression", reg_sqrt=True, num_leaves=15), 15, []
    yield "l1", dict(base, objective="regression_l1", num_leaves=15), 15, []
    yield "quantile", dict(base, objective="quantile", alpha=0.8, num_leaves=15), 15, []
    yield "rank", dict(base, objective="lambdarank", num_leaves=15), 15, []
    yield "dart", dict(base, objective="binary", boosting="dart", num_leaves=15), 15, []
    yield "random_forest", dict(base, objective="binary", boosting="rf", bagging_fraction=0.6,
                                bagging_freq=1, num_leaves=31), 15, []
    yield "forest_of_classes", dict(base, objective="multiclass", num_class=3, boosting="rf",
                                    bagging_fraction=0.5, bagging_freq=1, num_leaves=15), 8, []
    yield "goss", dict(base, objective="binary", data_sample_strategy="goss", num_leaves=15), 15, []
    yield "quantised", dict(base, objective="binary", use_quantized_grad=True,
                            num_leaves=31), 15, []
    yield "monotone", dict(base, objective="regression", num_leaves=31,
                           monotone_constraints=[1, -1] + [0] * (FEATURES - 2),
                           monotone_constraints_method="advanced"), 15, []
    yield "single_leaf", dict(base, objective="regression", num_leaves=31,
                              min_data_in_leaf=100000), 5, []


def label_of(objective, score):
    if objective in ("multiclass", "multiclassova"):
        return numpy.digitize(score, numpy.quantile(score, [0.3, 0.6, 0.8]))
    if objective == "binary":
        return (score > 1).astype(int)
    if objective.startswith("cross_entropy"):
        return 1 / (1 + numpy.exp(-score))
    if objective in ("poisson", "gamma", "tweedie"):
        return numpy.exp(score / 3) + 0.1
    if objective == "lambdarank":
        return numpy.digitize(score, numpy.quantile(score, [0.5, 0.8]))
    return score


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, (name, params, rounds, categories) in enumerate(cases()):
        rng = numpy.random.default_rng(100 + index)
        x = matrix(rng, ROWS, categories)
        y = label_of(params["objective"], target(rng, x))
        if params["objective"] == "multiclass":
            y = numpy.minimum(y, 2)
        data = lightgbm.Dataset(x, y, categorical_feature=categories or "auto")
        if params["objective"] == "lambdarank":
            data.set_group([30] * (ROWS // 30))
        model = lightgbm.train(params, data, rounds)
        text = model.model_to_string()
        (out / name).write_text(text)
        # What counts is what the trainer says of the file, not of the model in its memory.
        model = lightgbm.Booster(model_file=str(out / name))
        rows = hostile(rng, text, categories)
        raw = model.predict(rows, raw_score=True, num_threads=1).astype(numpy.float64)
        raw.tofile(out / f"{name}.scores")
        model.predict(rows, num_threads=1).astype(numpy.float64).tofile(out / f"{name}.links")
        leaves = model.predict(rows, pred_leaf=True, num_threads=1).astype(numpy.int32)
        leaves.tofile(out / f"{name}.leaves")
        rows.tofile(out / f"{name}.rows")
        outputs = raw.size // HOSTILE
        lines.append(f"{name} {HOSTILE} {FEATURES} {outputs} {leaves.size // HOSTILE}")
    (out / "cases.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
