"""The Fraud Detection Handbook's transactions and its own 15 features, by its own definition.

Windows slide by the second: one of W days ends with the transaction itself and reaches back to just
after the same second W days before. What a terminal's windows hold is seven days older, because
that is when its frauds are known. Nothing of the engine is used here: this is the other side of the
comparison.
"""

import numpy as np
import pandas as pd

from rows import TrainingError

COLUMNS = {"TRANSACTION_ID": np.int64, "CUSTOMER_ID": np.int64, "TERMINAL_ID": np.int64,
           "TX_AMOUNT": np.float64, "TX_FRAUD": np.int8}
WINDOWS_D = (1, 7, 30)
KNOWN_AFTER_D = 7
DAY_S = 86_400


def load_transactions(path):
    """The transactions in order of time, with `time_s` since 1970 and the amount in cents."""
    try:
        table = pd.read_csv(path, usecols=["TX_DATETIME", *COLUMNS], dtype=COLUMNS)
        moments = pd.to_datetime(table["TX_DATETIME"], format="%Y-%m-%d %H:%M:%S")
    except (ValueError, EOFError) as error:
        raise TrainingError(f"{path}: {error}") from error
    if table.empty:
        raise TrainingError(f"{path}: no transactions")
    table["time_s"] = (moments - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    if not table["time_s"].is_monotonic_increasing:
        raise TrainingError(f"{path}: TX_DATETIME goes back in time")
    table["amount_cents"] = (table["TX_AMOUNT"] * 100).round().astype(np.int64)
    return table


class Timeline:
    """The transactions of each key in order: (key, time) as one number that only grows, so that a
    window of all rows is two binary searches."""

    def __init__(self, keys, time_s):
        codes = pd.factorize(keys)[0].astype(np.int64)
        times = time_s - time_s.min()
        # Longer than all times and the longest look back, so that no window enters another key.
        span = int(times.max()) + (max(WINDOWS_D) + KNOWN_AFTER_D + 1) * DAY_S
        self.order = np.argsort(codes, kind="stable")
        self.places = (codes * span + times)[self.order]

    def first_after(self, back_s):
        """For each row in key order: how many rows lie up to that time before it, inclusive."""
        return np.searchsorted(self.places, self.places - back_s, side="right")

    def running(self, values):
        """Sums of the first 0, 1, 2, ... rows in key order."""
        return np.concatenate([[0], np.cumsum(values[self.order])])

    def restore(self, values):
        """From key order back to the order of the input."""
        result = np.empty_like(values)
        result[self.order] = values
        return result


def customer_features(table):
    line = Timeline(table["CUSTOMER_ID"].to_numpy(), table["time_s"].to_numpy())
    cents = line.running(table["amount_cents"].to_numpy())
    ends = np.arange(len(table)) + 1  # the transaction itself is the last one inside
    features = {}
    for days in WINDOWS_D:
        starts = line.first_after(days * DAY_S)
        count = ends - starts
        mean = (cents[ends] - cents[starts]) / (count * 100)
        features[f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW"] = line.restore(count)
        features[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW"] = line.restore(mean)
    return features


def terminal_features(table):
    line = Timeline(table["TERMINAL_ID"].to_numpy(), table["time_s"].to_numpy())
    frauds = line.running(table["TX_FRAUD"].to_numpy().astype(np.int64))
    ends = line.first_after(KNOWN_AFTER_D * DAY_S)
    features = {}
    for days in WINDOWS_D:
        starts = line.first_after((KNOWN_AFTER_D + days) * DAY_S)
        count = ends - starts
        risk = (frauds[ends] - frauds[starts]) / np.maximum(count, 1)
        features[f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW"] = line.restore(count)
        features[f"TERMINAL_ID_RISK_{days}DAY_WINDOW"] = line.restore(risk)
    return features


def handbook_features(table):
    """A frame of float32, one row a transaction."""
    day, second = np.divmod(table["time_s"].to_numpy(), DAY_S)
    features = {
        "TX_AMOUNT": table["amount_cents"].to_numpy() / 100,
        "TX_DURING_WEEKEND": (day + 3) % 7 >= 5,  # 1970 began on a Thursday
        "TX_DURING_NIGHT": second // 3600 <= 6,
        **customer_features(table),
        **terminal_features(table),
    }
    return pd.DataFrame({name: values.astype(np.float32) for name, values in features.items()})
