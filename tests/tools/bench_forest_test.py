"""`tools/bench forest`, tiny: models are trained, our scores are the trainers' bits, and a table
comes out. The engines beside the trainers are left out, as they are not installed for tests."""
import json
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
PROGRAM = os.environ.get("TIDEMARK_PROGRAM", SOURCE / "build/release/tools/tidemark")


def test_quick_comparison(tmp_path):
    done = subprocess.run(
        [sys.executable, SOURCE / "bench/forest/run.py", "--program", PROGRAM, "--quick",
         "--work", tmp_path / "work", "--out", tmp_path], capture_output=True, text=True,
        check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "forest.json").read_text())
    assert [result["trainer"] for result in results] == ["lightgbm", "xgboost"]
    for result in results:
        assert result["deviations"]["tidemark"] == 0
        assert len(result["reasons_ms"]) == 2 and min(result["reasons_ms"].values()) > 0
        rates = result["rates"]["1"]
        assert set(rates) == {"tidemark", "LightGBM" if result["trainer"] == "lightgbm"
                              else "XGBoost"}
        assert all(rate > 0 for by_batch in rates.values() for rate in by_batch.values())
    assert "| tiny (lightgbm) | 1 |" in (tmp_path / "forest.md").read_text()


def test_a_matrix_that_does_not_fit_is_refused(tmp_path):
    import numpy as np

    np.save(tmp_path / "rows.npy", np.zeros((3, 2), np.float32))
    model = SOURCE / "examples/quickstart/bundle/fraud.txt"
    done = subprocess.run([PROGRAM, "bench", "forest", "--model", model, "--rows",
                           tmp_path / "rows.npy"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "3 rows of 2 columns" in done.stderr
