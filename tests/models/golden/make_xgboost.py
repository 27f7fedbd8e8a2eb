"""Trains XGBoost models of every kind and writes what the trainer predicts for hostile rows.

usage: make_xgboost.py OUT

For each case NAME, in OUT: NAME (the model, JSON or UBJSON), NAME.rows (float32, C order),
NAME.scores (float64, rows x outputs, the float32 margin widened), NAME.links (float64, predict()),
NAME.leaves (int32, rows x trees, node ids); and cases.txt with one line
`NAME rows features outputs trees` each.
"""

import json
import pathlib
import sys

import numpy
import xgboost

ROWS = 1500
FEATURES = 10
HOSTILE = 1203  # not a multiple of any block
CATEGORIES = (8, 9)  # of 70 and of 5


def matrix(rng, categorical):
    x = rng.standard_normal((ROWS, FEATURES)).astype(numpy.float32)
    x[:, 0] = numpy.round(x[:, 0] * 3)  # many exact zeros and ties
    x[:, 2] *= numpy.float32(1e-35)
    x[:, 3] *= numpy.float32(1e30)
    for column in (1, 4, 5):
        x[rng.random(ROWS) < 0.2, column] = numpy.nan
    if categorical:
        x[:, 8] = rng.integers(0, 70, ROWS)
        x[:, 9] = rng.integers(0, 5, ROWS)
        x[rng.random(ROWS) < 0.1, 8] = numpy.nan
    return x


def target(rng, x):
    z = numpy.nan_to_num(x, nan=0.7)
    return (z[:, 0] * z[:, 4] + numpy.sin(2 * z[:, 6]) + z[:, 2] * 1e35 + z[:, 3] / 1e30
            + (z[:, 8] % 5 == 2) + 0.5 * (z[:, 9] % 3 == 1) + numpy.isnan(x[:, 5])
            + 0.3 * rng.standard_normal(len(x)))


def hostile(rng, model, categorical):
    """Rows whose values are the model's own cuts, their neighbours and what nobody expects."""
    cuts = [[0.0] for _ in range(FEATURES)]
    for text in model.get_dump(dump_format="json"):
        open_nodes = [json.loads(text)]
        while open_nodes:
            node = open_nodes.pop()
            open_nodes += node.get("children", [])
            if isinstance(node.get("split_condition"), float | int):
                cuts[int(node["split"][1:])].append(node["split_condition"])
    up, down = numpy.float32(numpy.inf), numpy.float32(-numpy.inf)
    odd = [0.0, -0.0, numpy.nan, 1e-45, -1e-45, 1e-40, 3.4028235e38, -3.4028235e38, 1e-35, -1e-35,
           0.5, 2147483648.0]
    rows = numpy.empty((HOSTILE, FEATURES), numpy.float32)
    for feature in range(FEATURES):
        near = numpy.array(cuts[feature], numpy.float32)
        pool = numpy.concatenate([near, numpy.nextafter(near, up), numpy.nextafter(near, down)])
        choice = rng.choice(pool, HOSTILE)
        strange = rng.random(HOSTILE) < 0.15
        choice[strange] = rng.choice(numpy.array(odd, numpy.float32), int(strange.sum()))
        if categorical and feature in CATEGORIES:
            # The trainer refuses negative and huge categories, so those are not asked.
            choice = rng.integers(0, 90, HOSTILE).astype(numpy.float32)
            fraction = rng.random(HOSTILE) < 0.2
            choice[fraction] += rng.choice(numpy.array([0.5, 0.999], numpy.float32))
            choice[rng.random(HOSTILE) < 0.1] = numpy.nan
            choice[rng.random(HOSTILE) < 0.05] = numpy.float32(-0.0)
        rows[:, feature] = choice
    return rows


def cases():
    """Name, parameters, rounds and whether two features are categories."""
    base = dict(nthread=1, seed=7, max_depth=6, tree_method="hist")
    for objective in ("binary:logistic", "binary:logitraw", "binary:hinge", "reg:logistic",
                      "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror",
                      "reg:absoluteerror", "reg:gamma", "reg:tweedie", "count:poisson",
                      "survival:cox", "survival:aft", "rank:pairwise", "rank:ndcg"):
        yield objective, dict(base, objective=objective), 12, False
    yield "quantile", dict(base, objective="reg:quantileerror", quantile_alpha=0.8), 12, False
    yield "quantiles", dict(base, objective="reg:quantileerror",
                            quantile_alpha=[0.1, 0.5, 0.9]), 8, False
    yield "monotone", dict(base, objective="reg:squarederror",
                           monotone_constraints="(1,-1)"), 12, False
    yield "forests_of_classes", dict(base, objective="multi:softprob", num_class=3,
                                     num_parallel_tree=3, subsample=0.6), 4, True
    yield "softprob", dict(base, objective="multi:softprob", num_class=4), 10, True
    yield "base_score", dict(base, objective="binary:logistic", base_score=0.03), 12, False
    yield "base_of_counts", dict(base, objective="count:poisson", base_score=2.5), 12, False
    yield "depth8", dict(base, objective="binary:logistic", max_depth=8), 30, False
    yield "leafwise", dict(base, objective="reg:squarederror", max_depth=0, max_leaves=255,
                           grow_policy="lossguide", min_child_weight=0), 20, True
    yield "huge_trees", dict(base, objective="reg:squarederror", max_depth=0, max_leaves=700,
                             grow_policy="lossguide", min_child_weight=0), 6, False
    exact = dict(base, objective="reg:squarederror", tree_method="exact")
    yield "exact", exact, 20, False
    yield "pruned", dict(exact, gamma=3), 20, False  # leaves deleted nodes in the file
    yield "one_hot", dict(base, objective="binary:logistic", max_cat_to_onehot=100), 20, True
    yield "partition", dict(base, objective="binary:logistic", max_cat_to_onehot=1), 20, True
    yield "dart", dict(base, objective="binary:logistic", booster="dart", rate_drop=0.3), 20, False
    yield "dart_forest", dict(base, objective="multi:softprob", num_class=3, booster="dart",
                              rate_drop=0.4, normalize_type="forest"), 10, True
    yield "random_forest", dict(base, objective="binary:logistic", num_parallel_tree=5,
                                subsample=0.6), 4, False
    yield "one_round", dict(base, objective="binary:logistic", max_depth=1), 1, False


def label_of(objective, score):
    if objective == "multi:softprob":
        return numpy.digitize(score, numpy.quantile(score, [0.4, 0.8]))
    if objective.startswith("binary"):
        return (score > 1).astype(int)
    if objective == "reg:logistic":
        return 1 / (1 + numpy.exp(-score))
    if objective == "count:poisson":
        return numpy.floor(numpy.exp(score / 3))
    if objective in ("reg:gamma", "reg:tweedie", "reg:squaredlogerror", "survival:cox",
                     "survival:aft"):
        return numpy.exp(score / 3) + 0.1
    if objective.startswith("rank"):
        return numpy.digitize(score, numpy.quantile(score, [0.5, 0.8]))
    return score


def train(params, rounds, x, y, types):
    objective = params["objective"]
    data = xgboost.DMatrix(x, y, feature_types=types)
    if objective.startswith("rank"):
        data.set_group([30] * (ROWS // 30))
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", y)
        data.set_float_info("label_upper_bound", y)
    return xgboost.train(params, data, rounds)


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, (name, params, rounds, categorical) in enumerate(cases()):
        name = name.replace(":", "_")
        rng = numpy.random.default_rng(100 + index)
        x = matrix(rng, categorical)
        types = ["c" if categorical and f in CATEGORIES else "q" for f in range(FEATURES)]
        model = train(params, rounds, x, label_of(params["objective"], target(rng, x)), types)
        written = out / f"{name}.{('json', 'ubj')[index % 2]}"
        model.save_model(written)
        # What counts is what the trainer says of the file, not of the model in its memory.
        model = xgboost.Booster(model_file=str(written))
        model.set_param({"nthread": 1})
        rows = hostile(rng, model, categorical)
        data = xgboost.DMatrix(rows, feature_types=types)
        margin = model.predict(data, output_margin=True)
        margin.astype(numpy.float64).tofile(out / f"{name}.scores")
        model.predict(data).astype(numpy.float64).tofile(out / f"{name}.links")
        leaves = model.predict(data, pred_leaf=True).astype(numpy.int32)
        leaves.tofile(out / f"{name}.leaves")
        rows.tofile(out / f"{name}.rows")
        written.rename(out / name)
        outputs = margin.size // HOSTILE
        lines.append(f"{name} {HOSTILE} {FEATURES} {outputs} {leaves.size // HOSTILE}")
    (out / "cases.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
