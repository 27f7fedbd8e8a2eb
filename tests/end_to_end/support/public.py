# Public data in TIDEMARK_TEST_DATA_DIR, converted to events as a user would. A test that asks for a
# file that is not there is skipped.
import os
import pathlib
import subprocess

import pytest
from support import program

DATA = os.environ.get("TIDEMARK_TEST_DATA_DIR")


def find(file):
    if not DATA:
        pytest.skip("TIDEMARK_TEST_DATA_DIR is not set")
    source = pathlib.Path(DATA) / file
    if not source.exists():
        pytest.skip(f"no {file} in TIDEMARK_TEST_DATA_DIR")
    return source


def convert(tool, file, folder):
    """Runs tools/convert/`tool` over a file of the public data into a folder."""
    command = [program.ROOT / "tools/convert" / tool, "--in", find(file), "--out", folder]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
