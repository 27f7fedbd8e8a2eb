# Outputs as bytes: read from a replay's folder or from topics, given the same names, compared with
# a message that shows the first difference.
import base64
import json
import re

DECISIONS = ("verdicts", "limits", "alerts", "shadow")
LETTERS = ("dead-letter", "late")
OUTCOMES = ("scored", "applied", "dead_lettered", "late", "duplicate")
PLACE = re.compile(rb'"provenance":\{"topic":"([^"]*)","partition":(\d+),"offset":(-?\d+)')


def lines_of(folder, name):
    return (folder / f"{name}.jsonl").read_bytes().splitlines()


def files_of(folder):
    """All of a replay's decisions and letters, and what of its summary must repeat."""
    summary = json.loads((folder / "summary.json").read_text())
    kept = {k: v for k, v in summary.items() if k not in ("seconds", "events_per_s", "backend")}
    result = {name: lines_of(folder, name) for name in (*DECISIONS, *LETTERS, "releases")}
    result["summary"] = [json.dumps(kept).encode()]
    return result


def live_names(lines, partition):
    """A replay's decisions as `serve` would word them: topics for sources, and the partition. The
    offsets stay: a topic loaded line by line has the line's number as offset."""

    def word(match):
        source, _, offset = match.groups()
        at = 0 if source == b"control" else partition
        return b'"provenance":{"topic":"%s.v1","partition":%d,"offset":%s' % (source, at, offset)

    return [PLACE.sub(word, line) for line in lines]


def without_place(lines):
    return [PLACE.sub(b'"provenance":{', line) for line in lines]


def without_offset(lines):
    return [PLACE.sub(rb'"provenance":{"topic":"\1","partition":\2', line) for line in lines]


def letters_of(folder, name, partition):
    """{(topic, partition, offset): (error, message, original bytes)} of a replay."""
    letters = {}
    for line in lines_of(folder, name):
        letter = json.loads(line)
        at = 0 if letter["topic"] == "control" else partition
        place = (f"{letter['topic']}.v1", at, letter["offset"])
        value = base64.b64decode(letter["value_base64"])
        assert place not in letters
        letters[place] = (letter["error"], letter["message"], value)
    return letters


def assert_same(actual, expected, what):
    """Both are lists of byte strings."""
    for number, (a, e) in enumerate(zip(actual, expected, strict=False)):
        assert a == e, f"{what}, line {number}:\n  got      {a!r}\n  expected {e!r}"
    assert len(actual) == len(expected), f"{what}: {len(actual)} lines, expected {len(expected)}"


def assert_same_files(actual, expected, what):
    assert actual.keys() == expected.keys()
    for name in expected:
        assert_same(actual[name], expected[name], f"{what}: {name}")


def assert_identity(counts):
    """The accounting identity, in all and for each source."""
    for name, one in [("all", counts), *counts["sources"].items()]:
        assert one["consumed"] == sum(one[outcome] for outcome in OUTCOMES), (name, one)


def by_merchant(lines):
    merchants = {}
    for line in lines:
        merchants.setdefault(json.loads(line)["merchant_id"], []).append(line)
    return merchants


def assert_versions_without_gap(limits):
    """Versions of each merchant's limits are 1, 2, 3, ..."""
    for merchant, lines in by_merchant(limits).items():
        versions = [json.loads(line)["version"] for line in lines]
        assert versions == list(range(1, len(versions) + 1)), (merchant, versions)
