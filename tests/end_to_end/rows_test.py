# Training rows in each format, a sample of their merchants, and labels.
import collections
import csv
import datetime
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from support import program, scene


DAY = 86_400_000


def write(scene, folder, name, *extra):
    command = ["replay", "--config", program.CONFIG, "--out", folder, "--now", program.NOW,
               "--rows", folder / name, *extra, *program.settings(*program.SMALL)]
    command += [f"--input={source}={path}" for source, path in scene.inputs.items()]
    program.run_well(*command)
    return json.loads((folder / f"{name}.manifest.json").read_text())


def lines(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def whole(small_scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return write(small_scene, folder, "rows.csv"), folder / "rows.csv"


def test_the_manifest_says_what_the_rows_are(whole):
    manifest, path = whole
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["rows"] == len(lines(path)) - 1 > 0
    assert manifest["sample"] == "1/1"
    assert [column["name"] for column in manifest["columns"]] == manifest["features"]
    assert {column["type"] for column in manifest["columns"]} == {"float32"}


def test_npy_has_the_bits_of_csv(small_scene, whole, tmp_path):
    manifest = write(small_scene, tmp_path, "rows.npy")
    matrix = np.load(tmp_path / "rows.npy")
    table = lines(whole[1])
    truth = np.array([[np.float32(x or "nan") for x in row[3:]] for row in table[1:]], np.float32)
    assert matrix.dtype == np.float32 and matrix.shape == truth.shape
    numbers = ~np.isnan(truth)
    assert np.array_equal(numbers, ~np.isnan(matrix))
    assert np.array_equal(matrix[numbers].view(np.uint32), truth[numbers].view(np.uint32))
    assert lines(tmp_path / "rows.npy.keys.csv") == [row[:3] for row in table]
    data = (tmp_path / "rows.npy").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()


def test_parquet_has_the_bits_of_csv(small_scene, whole, tmp_path):
    manifest = write(small_scene, tmp_path, "rows.parquet", "--label", "fraud:7d")
    write(small_scene, tmp_path, "rows.csv", "--label", "fraud:7d")
    table = pd.read_parquet(tmp_path / "rows.parquet")
    truth = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False, dtype={
        name: np.float32 if name in (*manifest["features"], "label") else str
        for name in table.columns}, na_values={name: [""] for name in table.columns[3:]})
    assert list(table.columns) == list(truth.columns) == [
        "event_id", "event_time", "merchant_id", *manifest["features"], "label"]
    assert table["event_time"].dt.tz is not None
    for name in ("event_id", "merchant_id"):
        assert table[name].tolist() == truth[name].tolist()
    assert (table["event_time"] == pd.to_datetime(truth["event_time"], format="ISO8601")).all()
    for name in table.columns[3:]:
        mine, other = table[name].to_numpy(), truth[name].to_numpy()
        assert mine.dtype == other.dtype == np.float32
        assert np.array_equal(np.isnan(mine), np.isnan(other)), name
        assert np.array_equal(mine[~np.isnan(mine)], other[~np.isnan(other)]), name
    data = (tmp_path / "rows.parquet").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()
    write(small_scene, tmp_path, "rows.parquet", "--label", "fraud:7d")
    assert (tmp_path / "rows.parquet").read_bytes() == data


def time_of(event):
    """Epoch milliseconds of an event's time, which is RFC 3339 or epoch milliseconds."""
    value = event["event_time"]
    return value if isinstance(value, int) else ms(value)


def ms(text):
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def begun(small_scene, until, folder):
    """The stream as it was at a time: each source up to its first event behind it."""
    inputs = {}
    for source, path in small_scene.inputs.items():
        kept = []
        for line in path.read_bytes().splitlines():
            try:
                if time_of(json.loads(line)) > until:
                    break
            except (ValueError, TypeError, KeyError):
                pass  # no event: a dead letter, wherever it stands
            kept.append(line)
        inputs[source] = folder / f"begun-{path.name}"
        inputs[source].write_bytes(b"".join(line + b"\n" for line in kept))
    return scene.Scene(folder, inputs)


def feedback_of(small_scene, types, key):
    """Times and types of the feedback of each key, in the order of time."""
    found = collections.defaultdict(list)
    for event in scene.good_events(small_scene.inputs["feedback"]):
        if event["type"] in types:
            found[tuple(event[name] for name in key)].append((time_of(event), event["type"]))
    return {key: sorted(words) for key, words in found.items()}


def near(words, edge):
    """Whether one is so near to the edge that the order of arrival may decide."""
    return any(abs(at - edge) < DAY for at, _ in words)


def test_labels_are_what_feedback_says_at_their_age(small_scene, whole, tmp_path):
    manifest = write(small_scene, tmp_path, "rows.csv", "--label", "fraud:14d",
                     "--label", "default:30d")
    table, bare = lines(tmp_path / "rows.csv"), lines(whole[1])
    width = len(bare[0])
    assert [row[:width] for row in table] == bare
    assert table[0][width:] == ["label_fraud", "label_default"]
    frauds = feedback_of(small_scene, {"fraud", "legitimate"}, ["merchant_id", "ref_event_id"])
    defaults = feedback_of(small_scene, {"default"}, ["merchant_id"])
    times = [ms(row[1]) for row in table[1:]]
    end = (max(times), "end")
    found, compared = {"fraud": set(), "default": set()}, 0
    for row, at in zip(table[1:], times):
        words, until = frauds.get((row[2], row[0]), []), at + 14 * DAY
        if not near([end, *words], until):
            known = [word for when, word in words if when <= until]
            expected = "" if until > end[0] else str(int(known[-1:] == ["fraud"]))
            assert row[width] == expected, row[:3]
            found["fraud"].add(expected)
            compared += 1
        words, until = defaults.get((row[2],), []), at + 30 * DAY
        if not near([end, *words], until) and not near(words, at):
            first = words[0][0] if words else end[0] + 99 * DAY
            unknown = until > end[0] or first <= at
            expected = "" if unknown else str(int(first <= until))
            assert row[width + 1] == expected, row[:3]
            found["default"].add(expected)
    assert compared > len(bare) / 2
    assert found == {"fraud": {"", "0", "1"}, "default": {"", "0", "1"}}
    for column, label in zip(range(width, width + 2), manifest["labels"]):
        values = [row[column] for row in table[1:]]
        assert [label["positive"], label["negative"], label["unknown"]] == [
            values.count("1"), values.count("0"), values.count("")]
    assert not list(tmp_path.glob("*.unlabelled"))


def test_a_label_does_not_change_when_the_stream_goes_on(small_scene, tmp_path):
    write(small_scene, tmp_path, "rows.csv", "--label", "fraud:7d", "--label", "default:30d")
    ends = [time_of(e) for e in scene.good_events(small_scene.inputs["feedback"])]
    middle = sorted(ends)[len(ends) // 2]
    write(begun(small_scene, middle, tmp_path), tmp_path, "begun.csv", "--label", "fraud:7d",
          "--label", "default:30d")
    whole = {row[0]: row for row in lines(tmp_path / "rows.csv")}
    changes = set()
    for row in lines(tmp_path / "begun.csv"):
        changes.update(zip(row[-2:], whole[row[0]][-2:]))
    assert {("0", "0"), ("1", "1"), ("", "0"), ("", "1")} <= changes, changes
    assert not {(before, after) for before, after in changes if before and before != after}


def test_a_sample_keeps_whole_merchants(small_scene, whole, tmp_path):
    manifest = write(small_scene, tmp_path, "rows.csv", "--sample", "1/3")
    table, sampled = lines(whole[1]), lines(tmp_path / "rows.csv")
    kept = {row[2] for row in sampled[1:]}
    assert sampled == [table[0]] + [row for row in table[1:] if row[2] in kept]
    assert 0 < len(kept) < len({row[2] for row in table[1:]})
    assert manifest["sample"] == "1/3" and manifest["rows"] == len(sampled) - 1


@pytest.mark.parametrize("arguments, named", [
    (["--rows", "rows.csv", "--sample", "3/2"], "--sample 3/2"),
    (["--rows", "rows.csv", "--sample", "0/2"], "--sample 0/2"),
    (["--sample", "1/2"], "--sample"),
    (["--label", "fraud:7d"], "--label"),
    (["--rows", "rows.csv", "--label", "fraud"], "--label fraud"),
    (["--rows", "rows.csv", "--label", "fraud:7d", "--label", "fraud:9d"], "--label fraud:9d"),
    (["--rows", "rows.txt"], "rows.txt"),
])
def test_wrong_usage_names_the_option(small_scene, tmp_path, arguments, named):
    line = program.fails(2, "replay", "--config", program.CONFIG, "--out", tmp_path,
                         f"--input=payments={small_scene.inputs['payments']}", *arguments,
                         *program.settings(*program.SMALL))
    assert named in line
