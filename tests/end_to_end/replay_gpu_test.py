# Promise P1 between backends: `--backend cuda` writes the very bytes of `--backend cpu`, on a slice
# that the PTX runner gets through as well as a device.
import json
import os

import pytest
from support import outputs, program, scene


@pytest.fixture(scope="module")
def slice_inputs(small_scene, tmp_path_factory):
    # From the middle of the scene's life, so that windows are not all empty: but few events.
    share = float(os.environ.get("TIDEMARK_GPU_TEST_SHARE", "0.06"))
    return scene.cut_at(small_scene, share, tmp_path_factory.mktemp("slice"))


@pytest.mark.parametrize("events_max", [7, 4096])
def test_cuda_writes_the_bytes_of_the_cpu(slice_inputs, tmp_path, events_max):
    if not os.environ.get("TIDEMARK_WITH_CUDA"):
        pytest.skip("this build has no CUDA backend")
    if not has_device(tmp_path):
        pytest.skip("no CUDA device and no runtime to test with")
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
    outputs.assert_same_files(found["cuda"], found["cpu"], f"cuda, batches of {events_max}")


def has_device(folder):
    """Asks for `auto` on no events: the summary says what it chose."""
    empty = folder / "empty.jsonl"
    empty.write_bytes(b"")
    summary = program.replay({"payments": empty}, folder / "probe", backend="auto")
    return json.loads((folder / "probe/summary.json").read_text())["backend"] == "cuda" and summary
