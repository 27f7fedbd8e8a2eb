# Promise P1 over files: the same bytes for every batch size and thread count, and a row that does
# not change when the input is cut after it. Every output counts, the training rows too.
import datetime
import json

import pytest
from support import outputs, program, scene

SLICE = 0.1  # of the scene, for batches of one event


@pytest.fixture(scope="module")
def reference(small_scene, tmp_path_factory):
    return run(small_scene.inputs, tmp_path_factory.mktemp("reference"), 4096, 1)


@pytest.fixture(scope="module")
def slice_inputs(small_scene, tmp_path_factory):
    return scene.cut_at(small_scene, SLICE, tmp_path_factory.mktemp("slice"))


def run(inputs, folder, events_max, threads):
    values = (f"batch.events_max={events_max}", f"threads={threads}")
    program.replay(inputs, folder, *values, rows=folder / "rows.csv")
    found = outputs.files_of(folder)
    found["rows"] = (folder / "rows.csv").read_bytes().splitlines()
    return found


def test_the_scene_has_everything(reference):
    """Without this the other tests could agree on nothing."""
    summary = json.loads(reference["summary"][0])
    outputs.assert_identity(summary)
    assert all(summary[outcome] > 0 for outcome in outputs.OUTCOMES), summary
    assert all(summary["sources"][source]["consumed"] > 0 for source in scene.SOURCES)
    words = {json.loads(line)["verdict"] for line in reference["verdicts"]}
    assert words == {"allow", "review", "block"}
    statuses = {json.loads(line)["status"] for line in reference["limits"]}
    assert {"active", "frozen", "thin_file"} <= statuses
    assert {json.loads(line)["state"] for line in reference["alerts"]} >= {"opened", "closed"}
    outputs.assert_versions_without_gap(reference["limits"])


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("events_max", [7, 4096, 100_000])
def test_same_bytes_for_every_batch_and_thread_count(
    small_scene, reference, tmp_path, events_max, threads
):
    found = run(small_scene.inputs, tmp_path, events_max, threads)
    outputs.assert_same_files(found, reference, f"batches of {events_max}, {threads} threads")


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bytes_one_event_at_a_time(slice_inputs, tmp_path, threads):
    whole = run(slice_inputs, tmp_path / "whole", 100_000, 1)
    found = run(slice_inputs, tmp_path / "single", 1, threads)
    outputs.assert_same_files(found, whole, f"batches of 1, {threads} threads")


def test_compressed_input_is_the_same_input(slice_inputs, tmp_path):
    import gzip

    plain = run(slice_inputs, tmp_path / "plain", 4096, 2)
    packed = {}
    for source, path in slice_inputs.items():
        packed[source] = tmp_path / f"{source}.jsonl.gz"
        packed[source].write_bytes(gzip.compress(path.read_bytes()))
    found = run(packed, tmp_path / "packed", 4096, 2)
    outputs.assert_same_files(found, plain, "gzip")


@pytest.mark.parametrize("share", [0.33, 0.8])
@pytest.mark.parametrize("source", ["payments", "invoices"])
def test_a_row_does_not_change_when_the_input_is_cut_after_it(
    small_scene, reference, tmp_path, source, share
):
    """One file is cut. Up to its last line, the rows of all files are those of the whole run."""
    lines = small_scene.lines(source)
    kept = int(len(lines) * share)
    last = next(e for e in reversed(lines[:kept]) if b"event_id" in e and is_event(e))
    last_id = json.loads(last)["event_id"].encode()
    inputs = dict(small_scene.inputs)
    inputs[source] = scene.cut(inputs[source], kept, tmp_path / f"{source}.jsonl")
    found = run(inputs, tmp_path / "out", 4096, 2)
    rows = found["rows"]
    end = 1 + next(n for n, row in enumerate(rows) if row.startswith(last_id + b","))
    assert end > len(reference["rows"]) * share * 0.5
    outputs.assert_same(rows[:end], reference["rows"][:end], f"{source} cut at {share}")
    verdicts = end - 1  # the rows' file has a header
    outputs.assert_same(
        found["verdicts"][:verdicts], reference["verdicts"][:verdicts], f"{source} cut at {share}"
    )


def is_event(line):
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return isinstance(event, dict) and isinstance(event.get("amount"), str)


def test_a_merchant_s_limits_do_not_depend_on_its_neighbours(tmp_path):
    """Sparse merchants leave gaps of many ticks; a sweep must say the same whoever shares the
    partition. Where a partition's last event comes early, its last ticks are still to come."""
    sparse = scene.make(tmp_path / "scene", merchants=24, days=200, seed=11, events_per_day=0.7)
    events = sorted(scene.good_events(sparse.inputs["payments"]), key=instant)
    ordered = tmp_path / "payments.jsonl"
    ordered.write_text("".join(json.dumps(event) + "\n" for event in events))
    whole = tmp_path / "whole"
    program.replay({"payments": ordered}, whole)
    compared = 0
    for number, part in enumerate(scene.split({"payments": ordered}, 8, tmp_path / "parts")):
        folder = tmp_path / f"part-{number}"
        program.replay(part, folder)
        for name in ("verdicts", "limits", "alerts"):
            alone = outputs.by_merchant(outputs.lines_of(folder, name))
            among = outputs.by_merchant(outputs.lines_of(whole, name))
            for merchant, lines in alone.items():
                outputs.assert_same(
                    outputs.without_place(lines),
                    outputs.without_place(among[merchant][: len(lines)]),
                    f"{name} of {merchant}",
                )
                compared += name != "verdicts"
    assert compared > 20


def instant(event):
    """Of the event, 0 where it is not readable: a bad line, wherever it stands."""
    if isinstance(event.get("event_time"), int):
        return event["event_time"] / 1000
    try:
        at = datetime.datetime.fromisoformat(event["event_time"].replace("Z", "+00:00"))
        return at.timestamp() if at.year < 2027 else 0.0
    except (AttributeError, KeyError, TypeError, ValueError):
        return 0.0
