"""tools/handbook on transactions made up here: its features are what pandas' rolling windows give,
its protocol and measures are those worked out by hand, the same inputs give the same results."""
import datetime
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(SOURCE / "tools/training"))

import handbook_features  # noqa: E402
import handbook_protocol as protocol  # noqa: E402
from rows import TrainingError  # noqa: E402

FIRST = pd.Timestamp("2018-04-01")


def made_up(count=6000, days=60, customers=80, terminals=40, seed=3):
    """Terminals turn bad for a while, as in the Handbook; several transactions share a second."""
    random = np.random.default_rng(seed)
    seconds = np.sort(random.integers(0, days * 86_400 // 300, count)) * 300
    terminal = random.integers(0, terminals, count)
    bad = (seconds // 86_400 + 7 * terminal) % 40 < 10
    return pd.DataFrame({
        "TRANSACTION_ID": np.arange(count) + 17,
        "TX_DATETIME": (FIRST + pd.to_timedelta(seconds, unit="s")).strftime("%Y-%m-%d %H:%M:%S"),
        "CUSTOMER_ID": random.integers(0, customers, count), "TERMINAL_ID": terminal,
        "TX_AMOUNT": random.integers(0, 20_000, count) / 100,
        "TX_FRAUD": (bad & (random.random(count) < 0.3)).astype(int)})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "transactions.csv.xz"
    made_up().to_csv(path, index=False)
    return path


def rolling(group, column, days):
    """Sums over (t - days, t] of one key, up to and with the row itself."""
    series = pd.Series(group[column].to_numpy(float), index=pd.to_datetime(group["TX_DATETIME"]))
    return series.rolling(f"{days}D").sum().to_numpy()


def test_features_are_those_of_rolling_windows(data):
    table = handbook_features.load_transactions(data).assign(one=1)
    features = handbook_features.handbook_features(table)
    assert features.shape == (len(table), 15)
    for _, group in table.groupby("CUSTOMER_ID"):
        got = features.loc[group.index]
        for days in (1, 7, 30):
            count = rolling(group, "one", days)
            mean = rolling(group, "TX_AMOUNT", days) / count
            assert (got[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] == count).all()
            assert np.allclose(got[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"], mean, rtol=1e-5)
    for _, group in table.groupby("TERMINAL_ID"):
        got = features.loc[group.index]
        for days in (1, 7, 30):
            count, frauds = (rolling(group, name, 7 + days) - rolling(group, name, 7)
                             for name in ("one", "TX_FRAUD"))
            risk = frauds / np.where(count == 0, 1, count)
            assert (got[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] == count).all()
            assert np.allclose(got[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"], risk, atol=1e-6)
    moment = pd.to_datetime(table["TX_DATETIME"])
    assert (features["TX_DURING_WEEKEND"] == (moment.dt.day_of_week >= 5)).all()
    assert (features["TX_DURING_NIGHT"] == (moment.dt.hour <= 6)).all()


def test_a_card_is_left_out_from_when_its_fraud_is_known(data):
    table = handbook_features.load_transactions(data)
    first = datetime.date(2018, 4, 20)
    week = protocol.make_week(table, first)
    day = (pd.to_datetime(table["TX_DATETIME"]).dt.normalize() - pd.Timestamp(first)).dt.days
    assert list(week.train) == list(table.index[(day >= 0) & (day < 7)])
    frauds = list(zip(table["CUSTOMER_ID"], day, table["TX_FRAUD"]))
    expected = [
        row for row, (card, today, _) in enumerate(frauds)
        if 14 <= today < 21 and not any(
            fraud and other == card and 0 <= then <= today - 8 for other, then, fraud in frauds)]
    assert list(week.test) == expected
    with pytest.raises(TrainingError, match="2018-05-12"):
        protocol.make_week(table, datetime.date(2018, 5, 12))


def test_measures_of_equal_scores():
    labels = np.array([1, 0, 1, 0, 0])
    scores = np.array([0.9, 0.9, 0.5, 0.4, 0.4])
    # Of six pairs four are won and one is equal; precision is 1/2 at the first score, 2/3 at 0.5.
    assert protocol.area_under_roc(labels, scores) == pytest.approx(4.5 / 6)
    assert protocol.average_precision(labels, scores) == pytest.approx(0.5 / 2 + 2 / 3 / 2)


def test_a_card_that_was_found_makes_place():
    table = pd.DataFrame({
        "time_s": np.array([0, 1, 2, 3, 0, 1, 2]) + np.array([0, 0, 0, 0, 1, 1, 1]) * 86_400,
        "CUSTOMER_ID": [1, 2, 3, 2, 1, 2, 4],
        "TX_FRAUD": [0, 0, 0, 1, 1, 1, 0]})
    scores = np.array([0.7, 0.8, 0.1, 0.2, 0.5, 0.9, 0.6])
    # First day: cards 2 (compromised, though by another transaction) and 1. Second: 2 is gone.
    found = protocol.card_precision(table, np.arange(7), scores, top=2)
    assert found == pytest.approx((1 / 2 + 1 / 2) / 2)


def run(data, rows, out, *more):
    return subprocess.run(
        [sys.executable, SOURCE / "tools/training/handbook.py", "--data", data, "--rows", rows,
         "--train-from", "2018-04-20", "--train-from", "2018-05-10", "--json", out, *more],
        capture_output=True, text=True, check=False)


def test_rows_that_are_there(data, tmp_path):
    table = handbook_features.load_transactions(data)
    rows = pd.DataFrame({
        "event_id": "p-" + table["TRANSACTION_ID"].astype(str), "event_time":
        pd.to_datetime(table["TX_DATETIME"]).dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "merchant_id": "t-1", "amount": table["TX_AMOUNT"],
        "oracle": (table["TX_FRAUD"] + 0.5).where(table.index % 7 > 0)})
    path = tmp_path / "rows.csv"

    def write(rows):
        rows.to_csv(path, index=False)
        manifest = {"rows": len(rows), "spec": "made-up", "features": ["amount", "oracle"]}
        (tmp_path / "rows.csv.manifest.json").write_text(json.dumps(manifest))

    write(rows)
    done = [run(data, path, tmp_path / f"{n}.json") for n in (1, 2)]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr
    assert done[0].stdout == done[1].stdout
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    found = json.loads((tmp_path / "1.json").read_text())
    assert [week["train_from"] for week in found["weeks"]] == ["2018-04-20", "2018-05-10"]
    assert found["mean"]["engine"]["auc"] > 0.9 > found["mean"]["handbook"]["auc"]
    gentle = run(data, path, tmp_path / "gentle.json", "--trainer", "gentle")
    assert gentle.returncode == 0 and gentle.stdout != done[0].stdout
    write(rows.iloc[1:])
    done = run(data, path, tmp_path / "3.json")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "not one for each transaction" in done.stderr
