"""`tools/bench forest`, tiny: models are trained, our scores are the trainers' bits, and a table
comes out. The engines beside the trainers are left out, as they are not installed for tests."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", SOURCE / "build/release/tools/tidemark")


def test_quick_comparison(tmp_path):
    page = tmp_path / "page.md"
    shutil.copy(SOURCE / "bench/results/forest.md", page)
    done = subprocess.run(
        [sys.executable, SOURCE / "bench/forest/run.py", "--program", PROGRAM, "--quick",
         "--work", tmp_path / "work", "--out", tmp_path, "--results", page],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "forest.json").read_text())
    assert [result["trainer"] for result in results] == ["lightgbm", "xgboost"]
    for result in results:
        assert result["deviations"]["tidemark"] == 0
        load = result["load"]
        assert abs(load["import_ms"] + load["compile_ms"] - load["load_ms"]) < 0.01
        assert min(load.values()) > 0
        assert len(result["reasons_ms"]) == 2 and min(result["reasons_ms"].values()) > 0
        rates = result["rates"]["1"]
        assert set(rates) == {"tidemark", "LightGBM" if result["trainer"] == "lightgbm"
                              else "XGBoost"}
        assert all(rate > 0 for by_batch in rates.values() for rate in by_batch.values())
    measured = (tmp_path / "forest.md").read_text()
    assert "| tiny (lightgbm) | 1 |" in measured
    # What people wrote around the tables stays.
    before = (SOURCE / "bench/results/forest.md").read_text().split("<!--")
    after = page.read_text().split("<!--")
    assert (after[0], after[2]) == (before[0], before[2]) and measured in after[1]


def test_a_matrix_that_does_not_fit_is_refused(tmp_path):
    import numpy as np

    np.save(tmp_path / "rows.npy", np.zeros((3, 2), np.float32))
    model = SOURCE / "examples/quickstart/bundle/fraud.txt"
    done = subprocess.run([PROGRAM, "bench", "forest", "--model", model, "--rows",
                           tmp_path / "rows.npy"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "3 rows of 2 columns" in done.stderr
