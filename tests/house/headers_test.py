# Every header compiles alone. One that a source file includes first has been compiled alone by the
# build; the others are compiled here, with the flags of a source file of their folder.
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

import pytest
from sources import ROOT, cpp_files, text

# The only C++ headers that may include CUDA's.
DEVICE = re.compile(r"kernels/runtime/[^/]*_cuda\.hpp$")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


def included_first():
    first = set()
    for path in cpp_files(".cpp", ".cu"):
        found = INCLUDE.search(text(path))
        if found:
            first.add(found.group(1))
    return first


def commands():
    """The compiler and its flags for each folder that has a source file in this build."""
    build = pathlib.Path(os.environ.get("TIDEMARK_BUILD_DIR", ROOT / "build/release"))
    database = build / "compile_commands.json"
    if not database.exists():
        pytest.skip(f"no {database}: configure the build first")
    found = {}
    for entry in json.loads(database.read_text()):
        path = pathlib.Path(entry["file"]).relative_to(ROOT)
        words = shlex.split(entry["command"])
        if path.suffix != ".cpp":
            continue
        words = words[: words.index("-o")]
        drop = {"-MD", "-MT", "-MF"}
        kept = [w for i, w in enumerate(words) if w not in drop and words[i - 1] not in drop]
        found.setdefault(path.parent, [w for w in kept if not w.endswith("ccache")])
    return found


def compile_alone(header, known):
    folder = next((f for f in (header.parent, *header.parent.parents) if f in known), None)
    near = [f for f in known if header.parts[0] == f.parts[0]]
    if folder is None:
        folder = near[0] if near else next(iter(known))
    # The optimizer has nothing to say about whether a header is whole.
    command = [*known[folder], "-O0", "-fsyntax-only", "-Wno-unused", "-x", "c++", "-"]
    source = f'#include "{header.as_posix()}"\n'
    done = subprocess.run(command, input=source, text=True, capture_output=True, cwd=ROOT)
    return "" if done.returncode == 0 else f"{header}:\n{done.stderr[:2000]}"


def test_every_header_compiles_alone():
    first = included_first()
    known = commands()
    rest = [h for h in cpp_files(".hpp") if h.as_posix() not in first and not DEVICE.match(str(h))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [p for p in pool.map(lambda h: compile_alone(h, known), rest) if p]
    assert not problems, "\n".join(problems)


def nvcc():
    deps = pathlib.Path(os.environ.get("TIDEMARK_DEPS", "~/.cache/tidemark")).expanduser()
    ours = deps / "cuda/bin/nvcc"
    return str(ours) if ours.exists() else shutil.which("nvcc")


def compile_for_device(header, compiler):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "alone.cu")
        source.write_text(f'#include "{header.as_posix()}"\n')
        command = [compiler, "-std=c++20", "--expt-relaxed-constexpr", f"-I{ROOT}"]
        command += ["-arch=compute_90", "-ptx", "-o", os.devnull, str(source)]
        done = subprocess.run(command, text=True, capture_output=True)
    return "" if done.returncode == 0 else f"{header}:\n{done.stderr[:2000]}"


def test_every_device_header_compiles_alone():
    first = included_first()
    headers = [h for h in cpp_files(".cuh", ".hpp") if h.suffix == ".cuh" or DEVICE.match(str(h))]
    rest = [h for h in headers if h.as_posix() not in first]
    compiler = nvcc()
    # A machine for the CPU flavour alone has nothing to compile them with, and no use for them.
    if compiler is not None:
        problems = [p for p in (compile_for_device(h, compiler) for h in rest) if p]
        assert not problems, "\n".join(problems)
