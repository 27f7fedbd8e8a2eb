"""`tidemark score` as a user runs it: the trainer's bits and leaves for every number of rows, the
matrices that are refused, and outputs that would overwrite an input."""
import os
import pathlib
import subprocess

import lightgbm
import numpy as np
import pytest
import xgboost

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", SOURCE / "build/release/tools/tidemark")
SIZES = [0, 1, 7, 8, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1025]


def made_up(rows):
    random = np.random.default_rng(rows)
    matrix = random.normal(size=(rows, 4)).astype(np.float32)
    matrix[:, 2] = random.integers(-2, 70, rows)
    odd = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-35, -1e-40], dtype=np.float32)
    return np.where(random.random(matrix.shape) < 0.2, random.choice(odd, matrix.shape), matrix)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    values = made_up(800)
    values[~np.isfinite(values[:, 2]), 2] = 5
    labels = np.digitize(np.nan_to_num(values[:, 0]), [-0.4, 0.4])
    data = lightgbm.Dataset(values, labels, categorical_feature=[2])
    parameters = {"objective": "multiclass", "num_class": 3, "num_leaves": 20, "verbosity": -1,
                  "num_threads": 1, "min_data_in_leaf": 5}
    path = tmp_path_factory.mktemp("model") / "model.txt"
    lightgbm.train(parameters, data, 8).save_model(path)
    return path


def score(model, rows, out, *more):
    command = [PROGRAM, "score", "--model", model, "--rows", rows, "--out", out, "--backend", "cpu"]
    return subprocess.run([*map(str, (*command, *more))], capture_output=True, text=True,
                          check=False)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", SIZES)
def test_scores_and_leaves_are_the_trainers(model, tmp_path, rows, threads):
    matrix = made_up(rows)
    np.save(tmp_path / "rows.npy", matrix)
    done = score(model, tmp_path / "rows.npy", tmp_path / "out.npy", "--leaves",
                 tmp_path / "leaves.npy", "--threads", threads)
    assert done.returncode == 0, done.stderr
    scores, leaves = np.load(tmp_path / "out.npy"), np.load(tmp_path / "leaves.npy")
    assert (scores.shape, leaves.shape, leaves.dtype) == ((rows, 3), (rows, 24), np.int32)
    if rows:
        trainer = lightgbm.Booster(model_file=model)
        assert scores.tobytes() == trainer.predict(matrix, raw_score=True).tobytes()
        assert np.array_equal(leaves, trainer.predict(matrix, pred_leaf=True))


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgboost_scores_leaves_and_contributions(tmp_path, suffix):
    values = made_up(800)
    values[~np.isfinite(values)] = np.nan
    values[:, 2] = np.where(values[:, 2] < 1, np.nan, np.rint(values[:, 2]))
    labels = np.digitize(np.nan_to_num(values[:, 0]), [-0.4, 0.4])
    data = xgboost.DMatrix(values, labels, feature_types=["q", "q", "c", "q"])
    parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 4, "nthread": 1,
                  "booster": "dart", "rate_drop": 0.3}
    trained = tmp_path / f"model.{suffix}"
    xgboost.train(parameters, data, 8).save_model(trained)
    trainer = xgboost.Booster(model_file=trained)
    model = tmp_path / "any_name"  # formats are told apart by content
    trained.rename(model)
    np.save(tmp_path / "rows.npy", values)
    np.save(tmp_path / "baseline.npy", values[:1])
    done = score(model, tmp_path / "rows.npy", tmp_path / "out.npy", "--leaves",
                 tmp_path / "leaves.npy", "--baseline", tmp_path / "baseline.npy",
                 "--contributions", tmp_path / "phi.npy")
    assert done.returncode == 0, done.stderr
    scores, leaves = np.load(tmp_path / "out.npy"), np.load(tmp_path / "leaves.npy")
    margin = trainer.predict(data, output_margin=True)
    assert scores.tobytes() == margin.astype(np.float64).tobytes()
    assert np.array_equal(leaves, trainer.predict(data, pred_leaf=True).reshape(leaves.shape))
    phi = np.load(tmp_path / "phi.npy")
    assert phi.shape == (800, 3, 5)
    assert np.all(np.abs(phi.sum(axis=2) - scores) <= 1e-6 * np.maximum(1, np.abs(scores)))


@pytest.mark.parametrize(("matrix", "says"), [
    (made_up(9).astype(np.float64), "float32"), (made_up(9).astype(">f4"), "float32"),
    (np.asfortranarray(made_up(9)), "C order"), (made_up(9)[:, :3].copy(), "3 columns"),
    (made_up(9)[0].copy(), "shape is (4)"), (made_up(9)[None], "shape is (1, 9, 4)")])
def test_another_matrix_is_refused(model, tmp_path, matrix, says):
    np.save(tmp_path / "rows.npy", matrix)
    done = score(model, tmp_path / "rows.npy", tmp_path / "out.npy")
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1


def test_every_cut_of_a_matrix_is_refused(model, tmp_path):
    np.save(tmp_path / "rows.npy", made_up(2))
    whole = (tmp_path / "rows.npy").read_bytes()
    for size in (*range(0, 12), 100, 127, 128, 129, len(whole) - 1):
        (tmp_path / "cut.npy").write_bytes(whole[:size])
        done = score(model, tmp_path / "cut.npy", tmp_path / "out.npy")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), (size, done.stderr)


@pytest.mark.parametrize("option", ["--out", "--leaves", "--json", "--contributions"])
def test_an_output_that_is_an_input_is_refused(model, tmp_path, option):
    rows = tmp_path / "rows.npy"
    np.save(rows, made_up(4000))
    np.save(tmp_path / "baseline.npy", made_up(1))
    whole = rows.read_bytes()
    more = ["--baseline", tmp_path / "baseline.npy"] if option == "--contributions" else []
    out = tmp_path / "out.npy"
    done = score(model, rows, *((rows, *more) if option == "--out" else (out, option, rows, *more)))
    assert (done.returncode, done.stderr) == (2, f"tidemark: {option} {rows}: is an input too\n")
    assert rows.read_bytes() == whole
