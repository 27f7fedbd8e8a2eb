# The Handbook example over all 872,795 transactions: the features that users may count on are
# worked out once more from the CSV, by group-bys of pandas, and each must be the engine's to the
# last bit of the float32. And what a row says never depends on what comes after it.
import datetime
import json

import numpy as np
import pandas as pd
import pytest
from support import outputs, program, public

FILE = "fdh_2018-04_06.csv.xz"
CONFIG = "examples/handbook/tidemark.yaml"
TRANSACTIONS = 872_795
WINDOWS_D = (1, 7, 30)
KNOWN_AFTER_D = 7
DAY_S = 86_400
NAMES = ["amount", "is_weekend", "is_night"] + [
    f"{name}_{days}d"
    for name in ("payer_tx_count", "payer_amount_mean", "merchant_tx_count", "merchant_risk")
    for days in WINDOWS_D
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handbook")
    public.convert("handbook", FILE, folder)
    return {source: folder / f"{source}.jsonl" for source in ("payments", "feedback")}


@pytest.fixture(scope="module")
def rows(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    path = folder / "rows.csv"
    summary = program.replay(inputs, folder / "out", config=CONFIG, rows=path)
    outputs.assert_identity(summary)
    assert summary["scored"] == TRANSACTIONS
    return path


@pytest.fixture(scope="module")
def table():
    """The transactions in order: ids and places in time as integers, amounts in cents."""
    names = ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"]
    source = pd.read_csv(public.find(FILE), usecols=names)
    moments = pd.to_datetime(source["TX_DATETIME"])
    seconds = (moments - moments.iloc[0].normalize()) // pd.Timedelta(seconds=1)
    return pd.DataFrame(
        {
            "event_id": "p-" + source["TRANSACTION_ID"].astype(str),
            "event_time": moments.dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "merchant_id": "t-" + source["TERMINAL_ID"].astype(str),
            "payer": source["CUSTOMER_ID"],
            "merchant": source["TERMINAL_ID"],
            "second": seconds,
            "day": seconds // DAY_S,
            "hour": moments.dt.hour,
            "weekday": moments.dt.day_of_week,
            "cents": (source["TX_AMOUNT"] * 100).round().astype(np.int64),
            "fraud": source["TX_FRAUD"],
        }
    )


class DayTotals:
    """Totals of whole days of each key, summed up over the days: a window is one difference."""

    def __init__(self, keys, days, values, last_day):
        daily = values.groupby([keys, days]).sum().unstack(fill_value=0)
        daily = daily.reindex(columns=range(last_day + 1), fill_value=0)
        self.keys = daily.index
        self.until = np.zeros((len(daily), last_day + 2), dtype=np.int64)
        np.cumsum(daily.to_numpy(), axis=1, out=self.until[:, 1:])

    def between(self, keys, first, last):
        """From day to day, both inside. Unknown keys and days before the data have nothing."""
        at = self.keys.get_indexer(keys)
        sums = self.until[at, np.maximum(last + 1, 0)] - self.until[at, np.maximum(first, 0)]
        return np.where(at < 0, 0, sums)


def payer_features(table):
    """Whole days before the current one, and of the current day what came up to the event."""
    today = table.groupby(["payer", "day"])["cents"]
    count_today, cents_today = today.cumcount() + 1, today.cumsum()
    last_day = table["day"].max()
    ones = pd.Series(1, index=table.index)
    counts = DayTotals(table["payer"], table["day"], ones, last_day)
    cents = DayTotals(table["payer"], table["day"], table["cents"], last_day)
    day = table["day"].to_numpy()
    features = {}
    for days in WINDOWS_D:
        place = (table["payer"], day - days + 1, day - 1)
        count = counts.between(*place) + count_today.to_numpy()
        total = cents.between(*place) + cents_today.to_numpy()
        features[f"payer_tx_count_{days}d"] = count
        features[f"payer_amount_mean_{days}d"] = total / (count * 100)
    return features


def known_frauds(table):
    """Frauds as they become known, a week later; and how many of the merchant's day were known when
    each payment came. At the same second payments come first."""
    frauds = table[table["fraud"] == 1]
    known = pd.DataFrame(
        {"merchant": frauds["merchant"], "second": frauds["second"] + KNOWN_AFTER_D * DAY_S}
    )
    known["day"] = known["second"] // DAY_S
    both = pd.concat(
        [
            table[["merchant", "day", "second"]].assign(order=0, known=0),
            known.assign(order=1, known=1),
        ]
    )
    both = both.reset_index(names="row").sort_values(["second", "order"], kind="stable")
    both["today"] = both.groupby(["merchant", "day"])["known"].cumsum()
    today = both[both["order"] == 0].set_index("row")["today"]
    return known, today.reindex(table.index).to_numpy()


def merchant_features(table):
    known, frauds_today = known_frauds(table)
    ones = pd.Series(1, index=table.index)
    counts = DayTotals(table["merchant"], table["day"], ones, table["day"].max())
    frauds = DayTotals(
        known["merchant"], known["day"], pd.Series(1, index=known.index), known["day"].max()
    )
    day = table["day"].to_numpy()
    features = {}
    for days in WINDOWS_D:
        delayed = day - KNOWN_AFTER_D
        count = counts.between(table["merchant"], delayed - days + 1, delayed)
        bad = frauds.between(table["merchant"], day - days + 1, day - 1) + frauds_today
        features[f"merchant_tx_count_{days}d"] = count
        features[f"merchant_risk_{days}d"] = np.where(count == 0, 0, bad / np.maximum(count, 1))
    return features


def expected_features(table):
    features = {
        "amount": table["cents"] / 100,
        "is_weekend": table["weekday"] >= 5,
        "is_night": table["hour"] <= 6,
        **payer_features(table),
        **merchant_features(table),
    }
    return {name: np.asarray(values).astype(np.float32) for name, values in features.items()}


def test_every_row_is_what_pandas_says(rows, table):
    keys = ["event_id", "event_time", "merchant_id"]
    types = {name: np.float32 for name in NAMES} | {name: str for name in keys}
    found = pd.read_csv(rows, usecols=[*keys, *NAMES], dtype=types)
    assert len(found) == len(table) == TRANSACTIONS
    for key in keys:
        assert (found[key] == table[key]).all(), key
    expected = expected_features(table)
    assert sorted(expected) == sorted(NAMES)
    differences = {}
    for name in NAMES:
        values = found[name].to_numpy()
        wrong = np.flatnonzero(values.view(np.uint32) != expected[name].view(np.uint32))
        if len(wrong):
            row = wrong[0]
            differences[name] = (
                f"{len(wrong)} rows, first {found['event_id'][row]}: got {values[row]!r}, "
                f"expected {expected[name][row]!r}"
            )
    assert not differences, "\n".join(f"{name}: {text}" for name, text in differences.items())


def cut_in_time(inputs, payments, folder):
    """The first payments, and the feedback that is there by the time of the last of them."""
    part = {source: folder / f"{source}.jsonl" for source in inputs}
    with inputs["payments"].open() as file, part["payments"].open("w") as out:
        for line, _ in zip(file, range(payments)):
            out.write(line)
    until = datetime.datetime.fromisoformat(json.loads(line)["event_time"])
    with inputs["feedback"].open() as file, part["feedback"].open("w") as out:
        for line in file:
            if datetime.datetime.fromisoformat(json.loads(line)["event_time"]) <= until:
                out.write(line)
    return part


def test_rows_before_a_cut_stay_as_they_are(inputs, rows, tmp_path):
    kept = TRANSACTIONS // 2
    part = cut_in_time(inputs, kept, tmp_path)
    path = tmp_path / "rows.csv"
    summary = program.replay(part, tmp_path / "out", config=CONFIG, rows=path)
    assert summary["scored"] == kept
    lines = 0
    with rows.open("rb") as whole, path.open("rb") as cut:
        for number, (line, expected) in enumerate(zip(cut, whole)):
            assert line == expected, f"line {number + 1} of the rows"
            lines += 1
        assert not cut.readline()
    assert lines == kept + 1  # and the header
