# Payers through the program: rows that do not hang on batches, threads or what comes later, a table
# of stated size, and whose windows a feature is read from.
import csv
import json

import pytest
from support import program, scene

SPEC = """
spec: payers
measures:
  got: {source: payments, types: [payment], value: amount}
  paid: {entity: payer, source: payments, types: [payment], value: amount}
  paid_large: {entity: payer, source: payments, where: {amount_from: 300}}
features:
  - {name: amount, event: amount}
  - {name: got_30d, aggregate: sum, of: got, window: 30d}
  - {name: "paid_{aggregate}_{window}", aggregates: [count, mean, max], of: paid,
     windows: [1h, 1d, 30d]}
  - {name: paid_large_7d, aggregate: count, of: paid_large, window: 7d}
  - {name: amount_over_mean, ratio: [amount, paid_mean_30d]}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("payers")
    (folder / "features.yaml").write_text(SPEC)
    settings = f"features: {{spec: {folder}/features.yaml}}\nbundle: ''\n"
    (folder / "tidemark.yaml").write_text(settings)
    return folder / "tidemark.yaml"


def run(config, inputs, folder, *values):
    summary = program.replay(inputs, folder, *values, config=config, rows=folder / "rows.csv")
    return summary["state_hash"], (folder / "rows.csv").read_bytes().splitlines()


@pytest.fixture(scope="module")
def whole(config, small_scene, tmp_path_factory):
    return run(config, small_scene.inputs, tmp_path_factory.mktemp("whole"), "threads=1")


def test_the_scene_has_payers_at_several_merchants(whole):
    rows = list(csv.DictReader(line.decode() for line in whole[1]))
    with_payer = [row for row in rows if row["paid_count_30d"]]
    assert 0 < len(with_payer) < len(rows), "some rows have a payer and some have none"
    assert any(float(row["paid_count_30d"]) > 1 for row in with_payer)
    assert all(not row["amount_over_mean"] for row in rows if not row["paid_count_30d"])


BATCHES = [("batch.events_max=7", "threads=2"), ("batch.events_max=4096",)]


@pytest.mark.parametrize("values", BATCHES)
def test_same_rows_and_state_for_every_batch_and_thread_count(
    config, small_scene, whole, tmp_path, values
):
    assert run(config, small_scene.inputs, tmp_path, *values) == whole


def test_no_row_changes_when_the_input_is_cut_after_it(config, small_scene, whole, tmp_path):
    """Payments are cut; up to the last of them, rows are those of the whole run."""
    lines = small_scene.lines("payments")
    kept = int(len(lines) * 0.4)
    good = [e for e in lines[:kept] if b'"payment"' in e and b'"amount":"' in e]
    last = json.loads(good[-1])["event_id"].encode()
    inputs = dict(small_scene.inputs)
    inputs["payments"] = scene.cut(inputs["payments"], kept, tmp_path / "payments.jsonl")
    rows = run(config, inputs, tmp_path / "out")[1]
    end = 1 + next(n for n, row in enumerate(rows) if row.startswith(last + b","))
    assert 100 < end < len(whole[1])
    assert rows[:end] == whole[1][:end]


def test_the_table_of_payers_has_a_stated_size(config, small_scene, tmp_path):
    command = ["replay", "--config", config, "--out", tmp_path, "--now", program.NOW]
    for source, path in small_scene.inputs.items():
        command += ["--input", f"{source}={path}"]
    command += ["--rows", tmp_path / "rows.csv", "--set", "capacity.payers_max=3"]
    message = program.fails(1, *command)
    assert "capacity.payers_max is 3" in message, message


def test_features_tells_whose_windows_they_are(config):
    printed = json.loads(program.run_well("features", "--config", config, "--json"))
    entities = {feature["name"]: feature["entity"] for feature in printed["features"]}
    assert entities["amount"] == "" and entities["got_30d"] == "merchant"
    assert entities["paid_max_1h"] == entities["amount_over_mean"] == "payer"
    assert printed["bytes_per_payer"] > 0 and printed["payers_max"] > 0
