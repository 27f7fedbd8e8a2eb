# Formatting, lengths and words: the part of the house style that a program can check.
import re
import shutil
import subprocess

import pytest
from sources import ROOT, code_files, cpp_files, files, text

LINES_MAX = 400
COLUMNS_MAX = 100

# Addresses that are names of formats, not places to fetch from.
NAMES = re.compile(r"https?://(json-schema\.org|www\.w3\.org|www\.apache\.org/licenses)\S*")
LOCAL = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\]|\{|%|\$|<|\"|'|\.\.\.|\w+:\d)")
ADDRESS = re.compile(r"https?://\S+")
HOSTS = re.compile(
    r"pypi\.org|pythonhosted|npmjs|repo1?\.maven|deb\.debian|snapshot\.debian|archive\.ubuntu|"
    r"docker\.io|ghcr\.io"
)
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(root|home|work)/\w")
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|X{3}|HA[C]K)\b|\bDISABLED[_]")
THIS = "tests/house/text_test.py"


def hits(pattern, path):
    for number, line in enumerate(text(path).splitlines(), 1):
        if pattern.search(line):
            yield f"{path}:{number}: {line.strip()[:120]}"


def readable():
    data = (".jsonl", ".csv", ".xz", ".zst", ".gz")
    return [
        p for p in files() if p.suffix not in data and str(p) not in (THIS, "LICENSE")
    ]


def test_no_unfinished_work():
    found = [hit for path in readable() for hit in hits(UNFINISHED, path)]
    assert not found, "\n" + "\n".join(found)


def test_no_path_of_a_machine():
    found = [hit for path in readable() for hit in hits(MACHINE_PATHS, path)]
    assert not found, "\n" + "\n".join(found)


def test_no_network_address():
    found = []
    for path in readable():
        for number, line in enumerate(text(path).splitlines(), 1):
            rest = LOCAL.sub("", NAMES.sub("", line))
            address = ADDRESS.search(rest) and path.suffix != ".md"
            if address or HOSTS.search(rest):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    assert not found, "\n" + "\n".join(found)


def test_files_end_in_time():
    lengths = {p: text(p).count("\n") for p in code_files()}
    long = [f"{p}: {n} lines, at most {LINES_MAX}" for p, n in lengths.items() if n > LINES_MAX]
    assert not long, "\n" + "\n".join(long)


def test_lines_end_in_time():
    long = []
    for path in code_files():
        for number, line in enumerate(text(path).splitlines(), 1):
            if len(line) > COLUMNS_MAX:
                long.append(f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX}")
    assert not long, "\n" + "\n".join(long)


def test_files_say_what_they_are():
    silent = []
    for path in code_files():
        first = [line for line in text(path).splitlines() if not line.startswith("#!")][:1]
        if not first or not first[0].startswith(("//", "#", '"""')):
            silent.append(str(path))
    assert not silent, f"no comment at the top of: {silent}"


def test_clang_format_has_nothing_to_say():
    program = shutil.which("clang-format")
    if program is None:
        pytest.skip("no clang-format: run tools/setup check")
    paths = [str(p) for p in cpp_files()]
    command = [program, "--dry-run", "--Werror", "--style=file", *paths]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if ": error:" in line})
    assert done.returncode == 0, f"run clang-format -i on: {' '.join(wrong)}"
