# Tables of peers and seasons from outside: estimated from rows and compared with an independent
# pandas computation, then read by a spec, whose features are compared with those tables.
import csv
import json

import numpy as np
import pandas as pd
import pytest
from support import program

BASE = """spec: base
measures:
  pay: {source: payments, types: [payment], value: amount}
features:
  - {name: inflow_30d, aggregate: sum, of: pay, window: 30d}
  - {name: tickets_7d, aggregate: count, of: pay, window: 7d}
"""
TABLES = "tables: {peers: peers.csv, seasons: seasons.csv}\n"
TABLED = BASE.replace("measures:", f"{TABLES}measures:") + """\
  - {name: peers, peers: inflow_30d}
  - {name: spread, peers: inflow_30d, statistic: stddev, hidden: true}
  - {name: over, ratio: [inflow_30d, peers]}
  - {name: change, change: [inflow_30d, peers]}
  - {name: beyond, difference: [inflow_30d, peers]}
  - {name: sigmas, ratio: [beyond, spread]}
  - {name: season, season: inflow_30d}
  - {name: plain, ratio: [inflow_30d, season]}
"""
FEATURES = ("inflow_30d", "tickets_7d")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Thirteen months of merchants, one of whom moves; and the rows of the base spec."""
    folder = tmp_path_factory.mktemp("tables")
    program.run_well("generate", "--merchants", 80, "--days", 400, "--seed", 11,
                     "--events-per-day", 0.7, "--out", folder)
    lines = (folder / "merchants.jsonl").read_text().splitlines()
    moved = next(e for e in map(profile_of, lines) if e)
    lines.append(json.dumps(moved | {"event_time": "2026-01-10T00:00:00Z", "region": "Elsewhere",
                                     "industry": "odd, \"quoted\""}))
    (folder / "merchants.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "base.yaml").write_text(BASE)
    (folder / "rows.csv").write_bytes(replay(folder, folder / "base.yaml", folder / "base.out"))
    manifest = folder / "base.out/rows.csv.manifest.json"
    (folder / "rows.csv.manifest.json").write_bytes(manifest.read_bytes())
    return folder


def profile_of(line):
    try:
        event = json.loads(line)
    except ValueError:
        return None
    known = isinstance(event, dict) and isinstance(event.get("region"), str)
    return event if known and isinstance(event.get("merchant_id"), str) else None


def replay(scene, spec, out, *values):
    inputs = {source: scene / f"{source}.jsonl" for source in ("payments", "merchants")}
    program.replay(inputs, out, f"features.spec={spec}", "bundle=", *values, rows=out / "rows.csv")
    return (out / "rows.csv").read_bytes()


def estimate(scene, folder, *extra):
    folder.mkdir(exist_ok=True)
    return json.loads(program.run_well(
        "tables", "estimate", "--config", program.CONFIG, "--rows", scene / "rows.csv",
        "--merchants", scene / "merchants.jsonl", "--feature", "tickets_7d", "--feature",
        "inflow_30d", "--peers", folder / "peers.csv", "--seasons", folder / "seasons.csv",
        "--merchants-min", 2, *extra,
        *program.settings(f"features.spec={scene / 'base.yaml'}", "bundle=")))


def rows_with_profiles(scene):
    """The rows with their clock's day and the profile in force, worked out from the inputs."""
    rows = pd.read_csv(scene / "rows.csv")
    for feature in FEATURES:
        rows[feature] = rows[feature].astype("float32").astype("float64")
    rows["event_time"] = pd.to_datetime(rows.event_time)
    rows["merged"] = rows.event_time.cummax()
    profiles = pd.DataFrame(list(filter(None, map(
        profile_of, (scene / "merchants.jsonl").read_text().splitlines()))))
    profiles["since"] = [
        pd.to_datetime(t, unit="ms" if isinstance(t, int) else None, utc=True)
        for t in profiles.event_time]
    profiles["since"] = profiles.since.cummax()
    rows["order"] = range(len(rows))
    joined = pd.merge_asof(
        rows, profiles[["merchant_id", "since", "industry", "region", "currency", "time_zone"]],
        left_on="merged", right_on="since", by="merchant_id", allow_exact_matches=False,
    ).sort_values("order")
    zones = joined.time_zone.fillna("UTC")
    joined["day"] = [t.tz_convert(zone).date() for t, zone in zip(joined.event_time, zones)]
    joined["day"] = pd.to_datetime(joined.day).groupby(joined.merchant_id).cummax()
    return joined


def assert_lines(path, expected):
    """`expected`: {key fields: numbers}."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    keys = [name for name in lines[0] if name not in ("as_of", "mean", "stddev", "merchants",
                                                      "factor")]
    found = {tuple(line[key] for key in keys): [float(line[n]) for n in line
                                               if n not in keys and n != "as_of"] for line in lines}
    assert found.keys() == expected.keys()
    for key, numbers in expected.items():
        np.testing.assert_allclose(found[key], numbers, rtol=1e-9, atol=1e-12, err_msg=str(key))


def test_estimates_are_those_of_pandas(scene, tmp_path):
    said = estimate(scene, tmp_path / "t")
    rows = rows_with_profiles(scene)
    last = rows.day.max()
    assert said["as_of"] == str((last + pd.Timedelta(days=1)).date())
    newest = rows.groupby("merchant_id").tail(1)
    newest = newest[newest.day > last - pd.Timedelta(days=30)].fillna({"currency": ""})
    peers = {}
    for feature in FEATURES:
        keys = ["industry", "region"] + (["currency"] if feature == "inflow_30d" else [])
        for key, group in newest.groupby(keys):
            values = group[feature].dropna()
            if len(values) < 2:
                continue
            peers[(feature, *key, *([""] if len(key) == 2 else []))] = [
                values.mean(), values.std(ddof=0), len(values)]
    assert said["peers"] == len(peers) > 10
    assert_lines(tmp_path / "t/peers.csv", peers)

    rows["month"] = rows.day.dt.to_period("M")
    seasons = {}
    for feature in FEATURES:
        months = rows.groupby(["industry", "merchant_id", "month"])[feature].mean()
        years = months.groupby(["industry", "month"]).mean().reset_index()
        years["of_year"] = years.month.dt.month
        year = years.groupby(["industry", "of_year"])[feature].mean().unstack()
        year = year.dropna()
        for industry, values in year.iterrows():
            for month in range(1, 13):
                factor = values[month] / values.mean()
                if 0.001 <= factor <= 1000:
                    seasons[(feature, industry, str(month))] = [factor]
    assert said["seasons"] == len(seasons) > 100
    assert_lines(tmp_path / "t/seasons.csv", seasons)


def test_the_same_rows_give_the_same_bytes_and_new_ones_go_behind(scene, tmp_path):
    for name in ("a", "b"):
        estimate(scene, tmp_path / name)
    for table in ("peers.csv", "seasons.csv"):
        bytes_a = (tmp_path / "a" / table).read_bytes()
        assert bytes_a == (tmp_path / "b" / table).read_bytes()
        older = bytes_a.replace(b"\n2026-", b"\n2025-")
        (tmp_path / "a" / table).write_bytes(older)
    estimate(scene, tmp_path / "a")
    for table in ("peers.csv", "seasons.csv"):
        new = (tmp_path / "b" / table).read_bytes().split(b"\n", 1)[1]
        old = new.replace(b"2026-", b"2025-")
        assert (tmp_path / "a" / table).read_bytes().split(b"\n", 1)[1] == old + new
    command = ["tables", "estimate", "--config", program.CONFIG, "--rows", scene / "rows.csv",
               "--merchants", scene / "merchants.jsonl", "--feature", "inflow_30d",
               *program.settings(f"features.spec={scene / 'base.yaml'}", "bundle=")]
    said = program.fails(2, *command, "--peers", tmp_path / "a/peers.csv")
    assert "as_of: is not before 2026-" in said
    assert "--feature inflow: " in program.fails(2, *command, "--feature", "inflow", "--peers", "p")
    assert "--peers FILE" in program.fails(2, *command)


def test_rows_that_are_not_those_of_the_manifest_are_refused(scene, tmp_path):
    rows = tmp_path / "rows.csv"
    command = ["tables", "estimate", "--config", program.CONFIG, "--rows", rows, "--merchants",
               scene / "merchants.jsonl", "--feature", "inflow_30d", "--peers", tmp_path / "p.csv"]
    settings = program.settings(f"features.spec={scene / 'base.yaml'}", "bundle=")
    text = (scene / "rows.csv").read_bytes()
    rows.write_bytes(text)
    assert "there is no such manifest" in program.fails(2, *command, *settings)
    manifest = (scene / "rows.csv.manifest.json").read_bytes()
    (tmp_path / "rows.csv.manifest.json").write_bytes(manifest)
    rows.write_bytes(text[:-1])
    assert "is not the file that its manifest tells of" in program.fails(2, *command, *settings)
    rows.write_bytes(text[: text.rindex(b"\n", 0, -1) + 1])
    assert "is not the file that its manifest tells of" in program.fails(2, *command, *settings)
    assert "the rows are of spec" in program.fails(2, *command, *program.settings("bundle="))
    assert not (tmp_path / "p.csv").exists()


def test_features_are_those_of_the_tables(scene, tmp_path):
    """Tables that held from the summer on: rows before it have nothing, those after it do."""
    estimate(scene, tmp_path / "t")
    tables = {}
    for name in ("peers", "seasons"):
        path = tmp_path / "t" / f"{name}.csv"
        table = pd.read_csv(path)
        table["as_of"] = "2025-07-01"
        table.to_csv(path, index=False)
        tables[name] = table[table.feature == "inflow_30d"]
    spec = tmp_path / "t/tabled.yaml"
    spec.write_text(TABLED)
    written = replay(scene, spec, tmp_path / "one", "batch.events_max=7", "threads=2")
    assert written == replay(scene, spec, tmp_path / "two", "batch.events_max=4096", "threads=1")
    rows = pd.read_csv(tmp_path / "one/rows.csv")
    base = rows_with_profiles(scene).reset_index(drop=True)
    assert (rows.event_id == base.event_id).all()
    known = (base.day >= "2025-07-01").to_numpy()
    peers = base.merge(tables["peers"], "left", ["industry", "region", "currency"])
    mean = np.where(known, peers["mean"], np.nan)
    base["month"] = base.day.dt.month
    factors = base.merge(tables["seasons"], "left", ["industry", "month"])["factor"]
    season = np.where(known, factors, np.nan)
    assert 500 < np.isfinite(mean).sum() < np.isfinite(season).sum() < len(rows)
    inflow, spread = base.inflow_30d.to_numpy(), peers["stddev"].to_numpy()
    for name, truth in {"peers": mean, "over": inflow / mean, "change": inflow / mean - 1,
                        "beyond": inflow - mean, "sigmas": (inflow - mean) / spread,
                        "season": season, "plain": inflow / season}.items():
        # The engine subtracts whole cents, this test the floats of the rows.
        near = 0.05 if name == "beyond" else 3e-4
        np.testing.assert_allclose(rows[name], truth, rtol=3e-6, atol=near, err_msg=name)


def test_features_prints_formulas_and_a_fingerprint_of_the_tables(scene, tmp_path):
    estimate(scene, tmp_path / "t")
    spec = tmp_path / "t/tabled.yaml"
    spec.write_text(TABLED)

    def printed():
        return json.loads(program.run_well("features", "--config", program.CONFIG, "--json",
                                           *program.settings(f"features.spec={spec}", "bundle=")))

    before = printed()
    formulas = {f["name"]: (f["formula"], f["entity"]) for f in before["features"]}
    assert formulas["peers"] == ("mean of inflow_30d among peers", "merchant")
    assert formulas["season"] == ("season of inflow_30d", "merchant")
    assert formulas["change"] == ("inflow_30d / peers - 1", "merchant")
    with (tmp_path / "t/seasons.csv").open("a", encoding="utf-8") as table:
        table.write("2030-01-01,inflow_30d,retail,1,1.5\n")
    assert printed()["fingerprint"] != before["fingerprint"]
    with (tmp_path / "t/seasons.csv").open("a", encoding="utf-8") as table:
        table.write("2030-01-01,inflow_30d,retail,1,1.5\n")
    said = program.fails(2, "features", "--config", program.CONFIG,
                         *program.settings(f"features.spec={spec}", "bundle="))
    assert "seasons.csv:" in said and "the line before has the same" in said
