"""`tidemark model show`: what it says of a model is what is in the file."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import xgboost

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", SOURCE / "build/release/tools/tidemark")
FRAUD = SOURCE / "examples/quickstart/bundle/fraud.txt"


def show(*arguments):
    return subprocess.run([PROGRAM, "model", "show", *map(str, arguments), "--backend", "cpu"],
                          capture_output=True, text=True, check=False)


def test_a_lightgbm_model():
    done = show(FRAUD, "--json")
    assert done.returncode == 0, done.stderr
    said, text = json.loads(done.stdout), FRAUD.read_text()
    leaves = [int(count) for count in re.findall(r"^num_leaves=(\d+)$", text, re.MULTILINE)]
    assert (said["trees"], said["leaves"]) == (len(leaves), sum(leaves))
    assert (said["format"], said["link"], said["sum"]) == ("LightGBM text v4", "logistic",
                                                           "float64")
    names = re.search(r"^feature_names=(.*)$", text, re.MULTILINE)[1].split()
    splits = " ".join(re.findall(r"^split_feature=(.*)$", text, re.MULTILINE)).split()
    counts = {name: splits.count(str(i)) for i, name in enumerate(names)}
    assert said["splits_by_feature"] == {name: n for name, n in counts.items() if n}
    assert said["features"] == len(names) and said["splits"] == len(splits)
    assert said["bytes"] > 8 * sum(leaves)
    assert [point["batch"] for point in said["scorer"]["points"]] == [1, 4096]
    assert "bit-sliced" in said["scorer"]["kernel"]
    assert re.search("a block of [0-9]+ rows shares [0-9]+ masks", said["scorer"]["why"])
    for word in ("objective   binary sigmoid:1", "kernel", said["scorer"]["why"], "rows/s",
                 "amount_over_mean_30d"):
        assert word in show(FRAUD).stdout


def test_an_xgboost_model_with_odd_names(tmp_path):
    values = np.random.default_rng(1).normal(size=(300, 2)).astype(np.float32)
    data = xgboost.DMatrix(values, values[:, 0], feature_names=['a "quoted" one', "b\\c"])
    model = tmp_path / "model.json"
    xgboost.train({"max_depth": 3, "nthread": 1}, data, 3).save_model(model)
    said = json.loads(show(model, "--json").stdout)
    assert said["format"].startswith("XGBoost 3.") and said["sum"] == "float32"
    assert set(said["splits_by_feature"]) <= {'a "quoted" one', "b\\c"}
    assert said["depth_max"] == 3


def test_a_name_that_is_more_than_one_line(tmp_path):
    values = np.random.default_rng(1).normal(size=(300, 1)).astype(np.float32)
    data = xgboost.DMatrix(values, values[:, 0], feature_names=["a\n\x1bb" + "c" * 200])
    model = tmp_path / "model.json"
    xgboost.train({"max_depth": 3, "nthread": 1}, data, 3).save_model(model)
    done = show(model)
    assert "splits  a??bccc" in done.stdout and "\x1b" not in done.stdout
    assert "c" * 101 not in done.stdout


def test_no_model(tmp_path):
    done = show(tmp_path / "none.txt")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def check(*settings):
    flags = [flag for setting in settings for flag in ("--set", setting)]
    return subprocess.run([PROGRAM, "model", "check", "--config",
                           "examples/quickstart/tidemark.yaml", "--set", "backend=cpu", *flags],
                          cwd=SOURCE, capture_output=True, text=True, check=False)


def test_golden_rows_of_a_bundle(tmp_path):
    done = check()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("64 golden rows, all with the trainer's bits") == 2
    bundle = tmp_path / "bundle"
    shutil.copytree(FRAUD.parent, bundle)
    golden = bundle / "credit.golden.csv"
    before = golden.read_bytes()
    lines = before.decode().splitlines()
    start, score = lines[7].rsplit(",", 1)
    lines[7] = f"{start},{np.nextafter(float(score), 9)!r}".replace("np.float64(", "").rstrip(")")
    golden.write_text("\n".join(lines) + "\n")
    manifest = (bundle / "manifest.yaml").read_text()
    old, new = (hashlib.sha256(data).hexdigest() for data in (before, golden.read_bytes()))
    (bundle / "manifest.yaml").write_text(manifest.replace(old, new))
    done = check(f"bundle={bundle}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "credit: golden row 7 scores" in done.stderr
