# The scene of the end-to-end tests: what `tidemark generate` writes, and beside it control events,
# events older than every window and lines that are no events. Files only; cut and split by line.
import dataclasses
import json
import pathlib

from support import program

SOURCES = ("payments", "invoices", "merchants", "signals", "feedback", "control")
KEYED = SOURCES[:-1]


@dataclasses.dataclass
class Scene:
    folder: pathlib.Path
    inputs: dict  # source: file

    def lines(self, source):
        return self.inputs[source].read_bytes().splitlines()


def make(folder, merchants=60, days=150, seed=5, events_per_day=4):
    """About 40,000 events of six sources in which everything happens that can happen."""
    program.run_well(
        "generate", "--merchants", merchants, "--days", days, "--seed", seed,
        "--events-per-day", events_per_day, "--bad-share", 0.002, "--out", folder,
    )  # fmt: skip
    inputs = {source: folder / f"{source}.jsonl" for source in SOURCES}
    add_old_events(inputs["payments"])
    add_control_events(inputs)
    return Scene(folder, inputs)


def good_events(path):
    for line in path.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("merchant_id"), str):
            yield event


def add_old_events(payments):
    """Late ones: five years before the others, for merchants that are known by then."""
    lines = payments.read_bytes().splitlines()
    known = [e for e in good_events(payments) if e.get("type") == "payment"][-5:]
    for number, event in enumerate(known):
        event.update(event_id=f"old-{number}", event_time="2020-03-01T12:00:00Z")
        lines.append(json.dumps(event).encode())
    payments.write_bytes(b"\n".join(lines) + b"\n")


def add_control_events(inputs):
    """A freeze of one merchant and of all, their ends, an overlay; and two that are refused."""
    profiles = list(good_events(inputs["merchants"]))
    times = sorted(t for e in profiles if isinstance(t := e.get("event_time"), str))
    merchant = profiles[0]["merchant_id"]
    day = iter(range(100, 140, 5))
    first = times[0]

    def event(kind, **more):
        at = later(first, next(day))
        return {"event_id": f"c-{kind}-{at}", "type": kind, "event_time": at, **more}

    events = [
        event("freeze", merchant_id=merchant),
        event("overlay", industry="retail", factor=0.6),
        event("freeze"),
        event("unfreeze"),
        event("unfreeze", merchant_id=merchant),
        event("overlay", industry="retail", factor=1),
        event("activate_model", bundle="elsewhere"),
    ]
    lines = [json.dumps(e).encode() for e in events] + [b'{"type":"overlay","event_id":"c-bad"}']
    inputs["control"].write_bytes(b"\n".join(lines) + b"\n")


def later(text, days):
    import datetime

    at = datetime.datetime.fromisoformat(text) + datetime.timedelta(days=days)
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def cut(source_file, lines, to):
    """The first lines of a file."""
    with source_file.open("rb") as file:
        to.write_bytes(b"".join(line for line, _ in zip(file, range(lines))))
    return to


def cut_at(scene, share, folder):
    """The first share of every file's lines: a slice of the whole scene in time."""
    folder.mkdir(exist_ok=True)
    return {
        source: cut(path, int(len(scene.lines(source)) * share), folder / path.name)
        for source, path in scene.inputs.items()
    }


def murmur2(key):
    """Kafka's partitioner hash, of bytes."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    value = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * factor & mask
        word = (word ^ word >> 24) * factor & mask
        value = (value * factor & mask) ^ word
    if whole < len(key):
        value = (value ^ int.from_bytes(key[whole:], "little")) * factor & mask
    value = (value ^ value >> 13) * factor & mask
    return value ^ value >> 15


class Partitioner:
    """Where a line belongs: (key, partition). Lines without a readable merchant go to the first
    partition, without a key."""

    def __init__(self, partitions):
        self.partitions = partitions
        self.known = {}

    def place(self, line):
        try:
            merchant = json.loads(line)["merchant_id"]
        except (ValueError, TypeError, KeyError):
            return None, 0
        if not isinstance(merchant, str) or not merchant:
            return None, 0
        partition = self.known.get(merchant)
        if partition is None:
            partition = (murmur2(merchant.encode()) & 0x7FFFFFFF) % self.partitions
            self.known[merchant] = partition
        return merchant.encode(), partition


def split(inputs, partitions, folder):
    """Files of each partition, as the topics of Kafka hold them: [{source: file}]. All of control
    goes to every partition."""
    partitioner = Partitioner(partitions)
    parts = []
    for partition in range(partitions):
        (folder / str(partition)).mkdir(parents=True)
        parts.append({source: folder / str(partition) / f"{source}.jsonl" for source in inputs})
    for source, path in inputs.items():
        heaps = [[] for _ in range(partitions)]
        with path.open("rb") as file:
            for line in file:
                if not line.strip():
                    continue
                if source == "control":
                    for heap in heaps:
                        heap.append(line)
                else:
                    heaps[partitioner.place(line)[1]].append(line)
        for part, heap in zip(parts, heaps, strict=True):
            part[source].write_bytes(b"".join(heap))
    return parts
