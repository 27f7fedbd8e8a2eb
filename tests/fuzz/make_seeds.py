#!/usr/bin/env python3
"""Writes the seeds that are made by trainers and NumPy: `make_seeds.py` with the environment of
tools/setup python. The seeds are committed; run it again when a format changes."""

import pathlib

import lightgbm
import numpy
import xgboost

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
random = numpy.random.default_rng(5)
rows = numpy.round(random.normal(size=(200, 3)), 2)
rows[:, 2] = random.integers(0, 40, 200)
rows[::9, 1] = numpy.nan
label = (numpy.nan_to_num(rows[:, 0] * rows[:, 1]) + rows[:, 2] % 3 > 1).astype(int)


def write(corpus, name, data):
    folder = CORPUS / corpus
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def lightgbm_seeds():
    for name, more in {
        "binary": {"objective": "binary"},
        "classes": {"objective": "multiclass", "num_class": 3},
        "rf": {"objective": "regression", "boosting": "rf", "bagging_freq": 1,
               "bagging_fraction": 0.5},
        "zeros": {"objective": "poisson", "zero_as_missing": True},
    }.items():
        target = rows[:, 2].astype(int) % 3 if name == "classes" else label
        train = lightgbm.Dataset(rows, target, categorical_feature=[2], params={"verbose": -1})
        options = {"num_leaves": 4, "min_data_in_leaf": 5, "seed": 1}
        options |= {"num_threads": 1, "verbose": -1}
        text = lightgbm.train(options | more, train, 2).model_to_string()
        head, _, _ = text.partition("\nparameters:")
        write("lightgbm", name, (head + "\nparameters:\nend of parameters\n").encode())


def xgboost_seeds():
    kinds = ["q", "q", "c"]
    for name, more in {
        "binary": {"objective": "binary:logistic"},
        "classes": {"objective": "multi:softprob", "num_class": 3},
        "dart": {"booster": "dart", "rate_drop": 0.5},
    }.items():
        target = rows[:, 2].astype(int) % 3 if name == "classes" else label
        train = xgboost.DMatrix(rows, target, feature_types=kinds, enable_categorical=True,
                                feature_names=["a", "b", "c"])
        options = {"max_depth": 2, "max_cat_to_onehot": 1, "seed": 1, "nthread": 1}
        model = xgboost.train(options | more, train, 2)
        write("xgboost_json", name, bytes(model.save_raw("json")))
        write("xgboost_ubjson", name, bytes(model.save_raw("ubj")))


def numpy_seeds():
    import io

    for name, array in {"rows": rows.astype("float32"), "columns": numpy.asfortranarray(rows),
                        "empty": numpy.zeros((0, 3), "float32")}.items():
        buffer = io.BytesIO()
        numpy.save(buffer, array[:8])
        write("npy", name, buffer.getvalue())


lightgbm_seeds()
xgboost_seeds()
numpy_seeds()
