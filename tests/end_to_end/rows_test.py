# Training rows in both formats, and a sample of their merchants.
import csv
import hashlib
import json

import numpy as np
import pytest
from support import program


def write(scene, folder, name, *extra):
    command = ["replay", "--config", program.CONFIG, "--out", folder, "--now", program.NOW,
               "--rows", folder / name, *extra, *program.settings(*program.SMALL)]
    command += [f"--input={source}={path}" for source, path in scene.inputs.items()]
    program.run_well(*command)
    return json.loads((folder / f"{name}.manifest.json").read_text())


def lines(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def whole(small_scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return write(small_scene, folder, "rows.csv"), folder / "rows.csv"


def test_the_manifest_says_what_the_rows_are(whole):
    manifest, path = whole
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["rows"] == len(lines(path)) - 1 > 0
    assert manifest["sample"] == "1/1"
    assert [column["name"] for column in manifest["columns"]] == manifest["features"]
    assert {column["type"] for column in manifest["columns"]} == {"float32"}


def test_npy_has_the_bits_of_csv(small_scene, whole, tmp_path):
    manifest = write(small_scene, tmp_path, "rows.npy")
    matrix = np.load(tmp_path / "rows.npy")
    table = lines(whole[1])
    truth = np.array([[np.float32(x or "nan") for x in row[3:]] for row in table[1:]], np.float32)
    assert matrix.dtype == np.float32 and matrix.shape == truth.shape
    numbers = ~np.isnan(truth)
    assert np.array_equal(numbers, ~np.isnan(matrix))
    assert np.array_equal(matrix[numbers].view(np.uint32), truth[numbers].view(np.uint32))
    assert lines(tmp_path / "rows.npy.keys.csv") == [row[:3] for row in table]
    data = (tmp_path / "rows.npy").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_sample_keeps_whole_merchants(small_scene, whole, tmp_path):
    manifest = write(small_scene, tmp_path, "rows.csv", "--sample", "1/3")
    table, sampled = lines(whole[1]), lines(tmp_path / "rows.csv")
    kept = {row[2] for row in sampled[1:]}
    assert sampled == [table[0]] + [row for row in table[1:] if row[2] in kept]
    assert 0 < len(kept) < len({row[2] for row in table[1:]})
    assert manifest["sample"] == "1/3" and manifest["rows"] == len(sampled) - 1


@pytest.mark.parametrize("arguments, named", [
    (["--rows", "rows.csv", "--sample", "3/2"], "--sample 3/2"),
    (["--rows", "rows.csv", "--sample", "0/2"], "--sample 0/2"),
    (["--sample", "1/2"], "--sample"),
])
def test_wrong_usage_names_the_option(small_scene, tmp_path, arguments, named):
    line = program.fails(2, "replay", "--config", program.CONFIG, "--out", tmp_path,
                         f"--input=payments={small_scene.inputs['payments']}", *arguments,
                         *program.settings(*program.SMALL))
    assert named in line
