# What the machine under the engine may do: a disk that is full, one that turns read-only, no file
# left to open, a log that cannot be written, a clock that jumps by hours. Checkpoints are lost, by
# name, and no event. Needs root, for the disk.
import contextlib
import os
import pathlib
import resource
import subprocess
import time

import pytest
from support import kafka, proof, work

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


def test_no_file_can_be_opened_for_a_while(broker, small_scene, tmp_path):
    with work.under_load(broker, small_scene, tmp_path, "files-", 400) as at_work:
        at_work.goes_on(records=2000)
        pid = at_work.serve.process.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, most))
        at_work.serve.wait_words("Too many open files")
        time.sleep(10)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        at_work.goes_on(records=4000)
    restarts_from_checkpoints(at_work)


def test_a_log_that_cannot_be_written(broker, small_scene, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path, inputs="log-")
    deployment.create_topics()
    deployment.load(small_scene.inputs)
    with deployment.serve(log=pathlib.Path("/dev/full")) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    proof.assert_each_proved(deployment, counts["consumed"])


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
