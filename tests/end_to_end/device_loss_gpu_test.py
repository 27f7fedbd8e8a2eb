# A device that fails in the middle of a replay and stays failed, as one that has fallen off the bus
# does: the CPU goes on, and the bytes are those of a run without a device.
import os
import shutil
import subprocess

import pytest
from support import outputs, program, scene

# Stands before the runtime: after so many calls every call fails with cudaErrorLaunchFailure.
BROKEN = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int calls;

static int is_broken(void) {
  return atomic_fetch_add(&calls, 1) >= atoi(getenv("TEST_DEVICE_CALLS")) ? 719 : 0;
}

int cudaStreamSynchronize(void* stream) {
  int (*real)(void*) = (int (*)(void*))dlsym(RTLD_NEXT, "cudaStreamSynchronize");
  const int error = is_broken();
  return error ? error : real(stream);
}

int cudaMemcpyAsync(void* to, const void* from, size_t bytes, int kind, void* stream) {
  int (*real)(void*, const void*, size_t, int, void*) =
      (int (*)(void*, const void*, size_t, int, void*))dlsym(RTLD_NEXT, "cudaMemcpyAsync");
  const int error = is_broken();
  return error ? error : real(to, from, bytes, kind, stream);
}
"""


def test_the_cpu_goes_on_where_the_device_fails(small_scene, tmp_path):
    if not os.environ.get("TIDEMARK_WITH_CUDA"):
        pytest.skip("this build has no CUDA backend")
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "no C compiler"
    broken = tmp_path / "broken.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", broken, "-ldl"],
                   input=BROKEN, text=True, check=True)  # fmt: skip
    inputs = scene.cut_at(small_scene, 0.1, tmp_path / "slice")
    whole = replayed(inputs, tmp_path / "cuda", "cuda")
    if "no CUDA device" in whole.stderr:
        pytest.skip("no CUDA device and no runtime to test with")
    assert "the device has failed" not in whole.stderr
    assert replayed(inputs, tmp_path / "cpu", "cpu").returncode == 0
    expected = outputs.files_of(tmp_path / "cpu")
    for calls in (60, 61, 200, 333):  # some more than loading the models takes
        out = tmp_path / f"cuda-{calls}"
        environment = {"LD_PRELOAD": str(broken), "TEST_DEVICE_CALLS": str(calls)}
        found = replayed(inputs, out, "cuda", environment)
        assert found.returncode == 0, found.stderr
        assert found.stderr.count("the device has failed; the CPU goes on") == 1, found.stderr
        outputs.assert_same_files(outputs.files_of(out), expected, f"after {calls} calls")


def replayed(inputs, out, backend, environment=()):
    command = ["replay", "--config", program.CONFIG, "--out", out, "--now", program.NOW,
               "--backend", backend, "--threads", 1]  # fmt: skip
    for source, path in inputs.items():
        command += ["--input", f"{source}={path}"]
    command += program.settings(*program.SMALL, f"backend={backend}", "batch.events_max=200")
    return program.run(*command, environment=environment)
