# Promise P1 between backends: `--backend cuda` writes the very bytes of `--backend cpu`, on a slice
# that the PTX runner gets through as well as a device.
import json
import os

import pytest
from support import outputs, program, scene


# Batches of 7 cost a launch each; with large ones the slice is long enough for limits and alerts.
@pytest.mark.parametrize(("events_max", "share"), [(7, 0.06), (4096, 0.6)])
def test_cuda_writes_the_bytes_of_the_cpu(small_scene, tmp_path, events_max, share):
    if not os.environ.get("TIDEMARK_WITH_CUDA"):
        pytest.skip("this build has no CUDA backend")
    if not has_device(tmp_path):
        pytest.skip("no CUDA device and no runtime to test with")
    slice_inputs = scene.cut_at(small_scene, share, tmp_path / "slice")
    found = {}
    for backend in ("cpu", "cuda"):
        folder = tmp_path / backend
        summary = program.replay(
            slice_inputs, folder, f"batch.events_max={events_max}",
            rows=folder / "rows.csv", backend=backend,
        )  # fmt: skip
        assert summary["backend"] == backend
        found[backend] = outputs.files_of(folder)
        found[backend]["rows"] = (folder / "rows.csv").read_bytes().splitlines()
    assert len(found["cpu"]["verdicts"]) > 500
    if share > 0.5:
        assert len(found["cpu"]["limits"]) > 50 and found["cpu"]["alerts"]
    outputs.assert_same_files(found["cuda"], found["cpu"], f"cuda, batches of {events_max}")


def has_device(folder):
    """Asks for `auto` on no events: the summary says what it chose."""
    empty = folder / "empty.jsonl"
    empty.write_bytes(b"")
    summary = program.replay({"payments": empty}, folder / "probe", backend="auto")
    return json.loads((folder / "probe/summary.json").read_text())["backend"] == "cuda" and summary
