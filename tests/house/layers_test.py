# The layers of ARCHITECTURE.md as a table: who may include whom, and which rooms may see Kafka,
# simdjson and CUDA. What is not in the table is not allowed.
import re

from sources import cpp_files, text

# A folder and what it may include besides itself. tools, tests and bench may include everything.
BELOW = {
    "kernels": set(),
    "features": {"kernels"},
    "models": {"kernels"},
    "stream": {"features", "models", "kernels"},
}
ABOVE = {"tools", "tests", "bench"}

# A third-party header and where below the tools it may stand.
ROOMS = [
    (re.compile(r"librdkafka/|rdkafka"), re.compile(r"stream/kafka/")),
    (re.compile(r"simdjson"), re.compile(r"stream/parse/")),
    (
        re.compile(r"cuda|cub/|thrust/|nv/|nvtx|cooperative_groups|device_launch_parameters"),
        re.compile(r".*\.cuh?$|kernels/runtime/[^/]*_cuda\.[a-z]+$"),
    ),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)


def includes(path):
    return INCLUDE.findall(text(path))


def problems_of(path, found):
    folder = path.parts[0]
    for kind, header in found:
        if kind == '"':
            target = header.split("/")[0]
            known = target in BELOW or target in ABOVE
            if not known:
                yield f"{path}: \"{header}\" does not start at the root of the checkout"
            elif folder in BELOW and target != folder and target not in BELOW[folder]:
                yield f"{path}: {folder} must not include {target} ({header})"
        elif folder in BELOW:
            for pattern, room in ROOMS:
                if pattern.match(header) and not room.match(path.as_posix()):
                    yield f"{path}: <{header}> is only for {room.pattern}"


def test_includes_go_down_only():
    problems = [p for path in cpp_files() for p in problems_of(path, includes(path))]
    assert not problems, "\n" + "\n".join(problems)


def test_the_table_sees_what_it_forbids():
    from pathlib import Path

    def bad(path, kind, header):
        return len(list(problems_of(Path(path), [(kind, header)])))

    assert bad("kernels/a.cpp", '"', "stream/parse/a.hpp")
    assert bad("features/a.cpp", '"', "models/a.hpp")
    assert bad("models/a.hpp", '"', "features/a.hpp")
    assert bad("stream/parse/a.cpp", "<", "librdkafka/rdkafka.h")
    assert bad("stream/kafka/a.cpp", "<", "simdjson.h")
    assert bad("models/a.cpp", "<", "simdjson.h")
    assert bad("kernels/forest/a.cpp", "<", "cuda_runtime.h")
    assert bad("kernels/forest/a.hpp", "<", "cub/cub.cuh")
    assert bad("kernels/forest/a.hpp", '"', "a_body.hpp")
    assert not bad("stream/kafka/a.cpp", "<", "librdkafka/rdkafka.h")
    assert not bad("kernels/forest/a.cu", "<", "cub/cub.cuh")
    assert not bad("kernels/runtime/device_cuda.hpp", "<", "cuda_runtime_api.h")
    assert not bad("tools/a.cpp", '"', "models/a.hpp")
