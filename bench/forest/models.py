"""Trains the forests of the comparison, once; the same seed gives the same files.

F1: 500 trees of depth 8. F2: 1000 leaf-wise trees of 64 leaves. small: 100 trees of depth 6.
large: 2000 leaf-wise trees of 255 leaves. All on 64 float32 features, a tenth missing in a quarter
of them, all regressions, so that a prediction is the raw score.
"""
import pathlib

import lightgbm
import numpy
import xgboost

FEATURES = 64
SHAPES = {
    "small": dict(trees=100, leaves=64, depth=6),
    "F1": dict(trees=500, leaves=256, depth=8),
    "F2": dict(trees=1000, leaves=64, depth=0),
    "large": dict(trees=2000, leaves=255, depth=0),
    "tiny": dict(trees=12, leaves=16, depth=4),  # for the test of this very benchmark
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


def train(trainer, name, folder, threads):
    """Writes folder/NAME-TRAINER.(txt|json) unless it is there, and returns its path."""
    shape = SHAPES[name]
    path = pathlib.Path(folder) / f"{name}-{trainer}.{'txt' if trainer == 'lightgbm' else 'json'}"
    if path.exists():
        return path
    values = matrix(2000 if name == "tiny" else 40000, 7)
    labels = target(values)
    if trainer == "lightgbm":
        parameters = dict(objective="regression", num_leaves=shape["leaves"], learning_rate=0.05,
                          max_depth=shape["depth"] or -1, min_data_in_leaf=5, verbose=-1,
                          num_threads=threads, seed=7, deterministic=True)
        lightgbm.train(parameters, lightgbm.Dataset(values, labels),
                       shape["trees"]).save_model(path)
    else:
        parameters = dict(objective="reg:squarederror", eta=0.05, nthread=threads, seed=7,
                          max_depth=shape["depth"], max_leaves=shape["leaves"],
                          grow_policy="depthwise" if shape["depth"] else "lossguide")
        xgboost.train(parameters, xgboost.DMatrix(values, labels),
                      shape["trees"]).save_model(path)
    return path
