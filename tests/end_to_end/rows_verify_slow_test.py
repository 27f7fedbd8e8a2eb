# `tidemark verify --rows`: training rows against raw history, and what was done to them found.
import hashlib
import json

import numpy as np
import pytest
from support import program, scene


@pytest.fixture(scope="module")
def made(small_scene, tmp_path_factory):
    """Rows in a folder of their own, and the arguments by which they came about."""
    folder = tmp_path_factory.mktemp("rows")
    part = scene.cut_at(small_scene, 0.35, folder / "part")
    inputs = [f"--input={source}={path}" for source, path in part.items()]
    common = ["--config", program.CONFIG, *inputs, "--now", program.NOW,
              *program.settings(*program.SMALL)]
    for name in ("rows.csv", "rows.npy"):
        program.run_well("replay", *common, "--out", folder / "out", "--rows", folder / name,
                         "--sample", "1/2", "--label", "fraud:7d", "--label", "default:30d")
    return folder, common


def rewritten(folder, change):
    """The rows with something done to them, by somebody who has put the hash right."""
    path = folder / "changed.csv"
    rows = (folder / "rows.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(change(rows)))
    manifest = json.loads((folder / "rows.csv.manifest.json").read_text())
    manifest["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["rows"] = len(path.read_text().splitlines()) - 1
    (folder / "changed.csv.manifest.json").write_text(json.dumps(manifest))
    return path


def with_field(line, column, change):
    fields = line.rstrip("\n").split(",")
    fields[column] = change(fields[column])
    return ",".join(fields) + "\n"


@pytest.mark.parametrize("name", ["rows.csv", "rows.npy"])
def test_rows_are_what_history_gives(made, name):
    folder, common = made
    said = program.run_well("verify", "--rows", folder / name, *common, "--json")
    report = json.loads(said)
    manifest = json.loads((folder / f"{name}.manifest.json").read_text())
    assert report["result"] == "proved"
    assert report["rows"] == report["compared"] == manifest["rows"] > 1000
    assert report["values"] == manifest["rows"] * (len(manifest["features"]) + 2)
    assert not list(folder.glob("*.truth"))


def test_a_sample_is_a_part_of_the_merchants(made):
    folder, common = made
    said = program.run_well("verify", "--rows", folder / "rows.csv", *common, "--sample", "1/4",
                            "--json")
    report = json.loads(said)
    assert 0 < report["compared"] < report["rows"] / 2 and report["merchants"] > 1


def test_a_value_that_is_another_is_named(made):
    folder, common = made
    manifest = json.loads((folder / "rows.csv.manifest.json").read_text())
    column = 3 + manifest["features"].index("inflow_sum_30d")

    def change(rows):
        at = next(i for i, row in enumerate(rows[1:], 1) if row.split(",")[column])
        nudge = lambda text: repr(float(np.nextafter(np.float32(text), np.float32(np.inf))))
        return [*rows[:at], with_field(rows[at], column, nudge), *rows[at + 1:]]

    done = program.run("verify", "--rows", rewritten(folder, change), *common, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["wrong_by_column"] == {"inflow_sum_30d": 1}
    assert "inflow_sum_30d is" in report["first"][0] and "changed.csv:" in report["first"][0]


def test_a_label_that_is_another_is_named(made):
    folder, common = made

    def change(rows):
        at = next(i for i, row in enumerate(rows[1:], 1) if row.rstrip("\n").split(",")[-2] == "0")
        return [*rows[:at], with_field(rows[at], -2, lambda _: "1"), *rows[at + 1:]]

    done = program.run("verify", "--rows", rewritten(folder, change), *common)
    assert done.returncode == 1 and "label_fraud: 1 wrong" in done.stdout


@pytest.mark.parametrize("change, said", [
    (lambda rows: rows[:50] + rows[51:], "is due"),
    (lambda rows: rows[:50] + rows[51:52] + rows[50:51] + rows[52:], "is due"),
    (lambda rows: rows[:50] + rows[49:], "is due"),
    (lambda rows: rows[:-1], "has no row"),
    (lambda rows: rows + rows[-1:], "a row too many"),
])
def test_rows_that_are_missing_turned_round_or_too_many_are_named(made, change, said):
    folder, common = made
    done = program.run("verify", "--rows", rewritten(folder, change), *common)
    assert done.returncode == 1 and said in done.stdout and "row: 1 wrong" in done.stdout


def test_what_does_not_belong_together_cannot_be_told(made, tmp_path):
    folder, common = made
    lines = (folder / "rows.csv").read_text()
    (folder / "damaged.csv").write_text(lines.replace("1", "2", 1))
    (folder / "damaged.csv.manifest.json").write_text(
        (folder / "rows.csv.manifest.json").read_text())
    assert "sha256" in program.fails(2, "verify", "--rows", folder / "damaged.csv", *common)
    assert "manifest.json" in program.fails(2, "verify", "--rows", tmp_path / "none.csv", *common)
    manifest = json.loads((folder / "rows.csv.manifest.json").read_text())
    manifest["spec"] = "0" * 16
    (folder / "damaged.csv").write_text(lines)
    (folder / "damaged.csv.manifest.json").write_text(json.dumps(manifest))
    assert "spec" in program.fails(2, "verify", "--rows", folder / "damaged.csv", *common)
    assert "--rows" in program.fails(2, "verify", "--sample", "1/2", "--config", program.CONFIG)
    assert "--rows" in program.fails(2, "verify", "--bytes", "--rows", folder / "rows.csv", *common)
