# What the house tests look at: the text files of the checkout, without what builds and runs leave
# there.
import functools
import os
import pathlib

ROOT = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
TOPS = ("kernels", "features", "models", "stream", "tools", "tests", "bench")
CPP = (".hpp", ".cpp", ".cu", ".cuh")
NOT_OURS = {".git", "build", "out", "__pycache__", ".cache", ".ccache", ".venv", ".pytest_cache"}


@functools.cache
def files():
    """Paths relative to the root of all text files, sorted."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in NOT_OURS and not f.startswith("build-")]
        for name in names:
            path = pathlib.Path(folder, name)
            if name in NOT_OURS:  # a worktree's .git is a file
                continue
            if not path.is_symlink() and is_text(path):
                found.append(path.relative_to(ROOT))
    return sorted(found)


def is_text(path):
    with open(path, "rb") as file:
        return b"\0" not in file.read(4096)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def cpp_files(*suffixes):
    return [p for p in files() if p.parts[0] in TOPS and p.suffix in (suffixes or CPP)]


def code_files():
    """All that was written as code: C++, Python, CMake and the scripts without a suffix."""
    code = []
    for path in files():
        if path.suffix in CPP + (".py", ".sh", ".cmake") or path.name == "CMakeLists.txt":
            code.append(path)
        elif not path.suffix and text(path).startswith("#!"):
            code.append(path)
    return code
