# What the machine under the engine may do: a disk that is full, one that turns read-only, a clock
# that jumps by hours. Checkpoints are lost, by name, and no event. Needs root, for the disk.
import contextlib
import os
import pathlib
import subprocess

import pytest
from support import work

CLOCK = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@contextlib.contextmanager
def disk(folder, size):
    """A file system of so many bytes."""
    if os.geteuid() != 0:
        pytest.skip("a small disk takes root to mount")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def restarts_from_checkpoints(at_work, *settings):
    with at_work.deployment.serve(*work.STEPS, *settings) as serve:
        serve.wait_ready()
        assert serve.words().count("restored in") == work.PARTITIONS, serve.words()
        serve.finish()


def test_a_full_disk_and_room_again(broker, small_scene, tmp_path):
    with disk(tmp_path / "disk", "64k") as folder:
        setting = f"checkpoint.directory={folder}"
        with work.under_load(broker, small_scene, tmp_path, "full-", 400, setting) as at_work:
            at_work.serve.wait_words("No space left on device")
            at_work.serve.wait_words("the stream goes on")
            at_work.goes_on()
            subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
            at_work.goes_on(records=4000)
        restarts_from_checkpoints(at_work, setting)


def test_a_disk_that_turns_read_only_and_back(broker, small_scene, tmp_path):
    with disk(tmp_path / "disk", "64m") as folder:
        setting = f"checkpoint.directory={folder}"
        with work.under_load(broker, small_scene, tmp_path, "only-", 400, setting) as at_work:
            at_work.goes_on(records=2000)
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            at_work.serve.wait_words("Read-only file system")
            at_work.goes_on()
            subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
            at_work.goes_on(records=4000)
        restarts_from_checkpoints(at_work, setting)


def test_a_clock_that_jumps(broker, small_scene, tmp_path):
    """Decisions know event time only; waits know monotonic time only."""
    if not CLOCK.exists():
        pytest.skip("no libfaketime: run tools/setup kafka")
    now = tmp_path / "clock"
    now.write_text("+0")
    environment = {
        "LD_PRELOAD": str(CLOCK), "FAKETIME_TIMESTAMP_FILE": str(now), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    with work.under_load(
        broker, small_scene, tmp_path, "clock-", 300, environment=environment
    ) as at_work:
        for jump in ("+1h", "-1h", "+30d", "-400d", "+0"):
            now.write_text(jump)
            at_work.goes_on(records=1000)
