"""Trains the forests of the comparison, once; the same seed gives the same files.

F1: 500 trees of depth 8. F2: 1000 leaf-wise trees of 64 leaves. small: 100 trees of depth 6.
large: 2000 leaf-wise trees of 255 leaves. All on 64 float32 features, a tenth missing in a quarter
of them, all regressions, so that a prediction is the raw score. What is timed depends on the shape
of the trees and the number of cuts alone, so large is trained on a quarter of the rows. XGBoost
learns so few by heart after 740 trees and then adds single leaves, so it takes smaller steps there;
a model most of whose trees lack their leaves is refused.
"""
import hashlib
import json
import pathlib
import statistics

import lightgbm
import numpy
import xgboost

FEATURES = 64
SHAPES = {
    "small": dict(trees=100, leaves=64, depth=6),
    "F1": dict(trees=500, leaves=256, depth=8),
    "F2": dict(trees=1000, leaves=64, depth=0),
    "large": dict(trees=2000, leaves=255, depth=0, rows=10000, eta=0.01),
    "tiny": dict(trees=12, leaves=16, depth=4, rows=2000),  # for the test of this very benchmark
}


def matrix(rows, seed):
    random = numpy.random.default_rng(seed)
    values = random.standard_normal((rows, FEATURES)).astype(numpy.float32)
    for feature in range(0, FEATURES, 4):
        values[random.random(rows) < 0.1, feature] = numpy.nan
    return values


def target(values):
    random = numpy.random.default_rng(5)
    filled = numpy.nan_to_num(values)
    weights = random.standard_normal((FEATURES, 24))
    return (numpy.tanh(filled @ weights).sum(1) + 2 * numpy.sin(3 * filled[:, :16]).sum(1)
            + random.standard_normal(len(values)))


def parameters_of(trainer, shape):
    if trainer == "lightgbm":
        return dict(objective="regression", num_leaves=shape["leaves"], learning_rate=0.05,
                    max_depth=shape["depth"] or -1, min_data_in_leaf=5, verbose=-1, seed=7,
                    deterministic=True, force_row_wise=True)
    return dict(objective="reg:squarederror", eta=shape.get("eta", 0.05), seed=7,
                max_depth=shape["depth"], max_leaves=shape["leaves"],
                grow_policy="depthwise" if shape["depth"] else "lossguide")


def leaves_of(path):
    """Leaves of each tree of a model file."""
    if path.suffix == ".txt":
        lines = path.read_text().splitlines()
        return [int(line.split("=")[1]) for line in lines if line.startswith("num_leaves=")]
    booster = json.loads(path.read_text())["learner"]["gradient_booster"]
    return [tree["left_children"].count(-1) for tree in booster["model"]["trees"]]


def train(trainer, name, folder, threads):
    """Writes folder/NAME-TRAINER-SETTINGS.(txt|json) unless it is there, and returns its path."""
    shape = SHAPES[name]
    parameters, rows = parameters_of(trainer, shape), shape.get("rows", 40000)
    version = (lightgbm if trainer == "lightgbm" else xgboost).__version__
    settings = hashlib.sha256(repr((parameters, rows, shape["trees"], version)).encode())
    suffix = "txt" if trainer == "lightgbm" else "json"
    path = pathlib.Path(folder) / f"{name}-{trainer}-{settings.hexdigest()[:8]}.{suffix}"
    if path.exists():
        return path
    values = matrix(rows, 7)
    labels = target(values)
    if trainer == "lightgbm":
        booster = lightgbm.train(parameters | dict(num_threads=threads),
                                 lightgbm.Dataset(values, labels), shape["trees"])
    else:
        booster = xgboost.train(parameters | dict(nthread=threads),
                                xgboost.DMatrix(values, labels), shape["trees"])
    # A run that is stopped while it writes leaves nothing that the next would take for a model.
    unfinished = path.with_name(f"unfinished-{path.name}")
    booster.save_model(unfinished)
    leaves = leaves_of(unfinished)
    if len(leaves) != shape["trees"] or statistics.median(leaves) < shape["leaves"] / 2:
        raise ValueError(f"{name} ({trainer}): {len(leaves)} trees of {statistics.median(leaves)} "
                         f"leaves, {shape['trees']} of {shape['leaves']} are due")
    unfinished.rename(path)
    return path
