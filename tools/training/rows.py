"""Training rows and their labels: the CSV of `tidemark replay --rows`, joined with feedback events.

No feature is computed here; the engine that serves them wrote them.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

DAY_MS = 86_400_000
KEYS = ["event_id", "event_time", "merchant_id"]


class TrainingError(Exception):
    """The training cannot go on; the message says what and where."""


def load_rows(path):
    """The rows in verdict order, features as float32, with `time_ms`; and their manifest."""
    manifest_path = Path(f"{path}.manifest.json")
    if not manifest_path.is_file():
        raise TrainingError(f"{manifest_path}: no manifest beside the rows; did replay finish?")
    manifest = json.loads(manifest_path.read_text())
    features = manifest["features"]
    types = {name: np.float32 for name in features} | {key: str for key in KEYS}
    rows = pd.read_csv(path, dtype=types, keep_default_na=False,
                       na_values={name: [""] for name in features})
    if list(rows.columns[:3]) != KEYS or list(rows.columns[3:3 + len(features)]) != features:
        raise TrainingError(f"{path}: the columns are not those of {manifest_path}")
    if len(rows) != manifest["rows"]:
        raise TrainingError(f"{path}: {len(rows)} rows, the manifest says {manifest['rows']}")
    times = pd.to_datetime(rows["event_time"], utc=True, format="ISO8601")
    rows["time_ms"] = (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1)
    return rows, manifest


def time_ms(value):
    """Milliseconds of an event time: epoch milliseconds or RFC 3339."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no time")
    return int(pd.Timestamp(value).timestamp() * 1000)


def load_feedback(path):
    """Feedback events that can be read, as (type, merchant, event it refers to, time). What the
    engine puts into the dead letters is left out here too."""
    found = []
    for line in Path(path).read_bytes().splitlines():
        try:
            event = json.loads(line)
            words = [event["type"], event["merchant_id"], event.get("ref_event_id") or ""]
            at = time_ms(event["event_time"])
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if all(isinstance(word, str) for word in words):
            found.append((*words, at))
    return found


def fraud_labels(rows, feedback):
    """1 where a feedback event of type fraud names the row's event."""
    frauds = {(merchant, ref) for kind, merchant, ref, _ in feedback if kind == "fraud" and ref}
    keys = zip(rows["merchant_id"], rows["event_id"])
    return np.fromiter((key in frauds for key in keys), dtype=np.int8, count=len(rows))


def credit_sample(rows):
    """Indices of the rows that the credit model learns from: the last of each merchant and day."""
    order = np.arange(len(rows))
    day = rows["time_ms"].to_numpy() // DAY_MS
    frame = pd.DataFrame({"merchant": rows["merchant_id"], "day": day, "row": order})
    return np.sort(frame.groupby(["merchant", "day"], sort=False)["row"].max().to_numpy())


def credit_labels(rows, feedback, horizon_days):
    """For each row: 1 when the merchant defaults within the horizon, 0 when it is known not to, -1
    when it is not known (the data end before the horizon) or the default is past."""
    first_default = {}
    for kind, merchant, _, at in feedback:
        if kind == "default":
            first_default[merchant] = min(at, first_default.get(merchant, at))
    times = rows["time_ms"].to_numpy()
    horizon = horizon_days * DAY_MS
    default_at = rows["merchant_id"].map(first_default).to_numpy(dtype=float)
    until = default_at - times
    labels = np.zeros(len(rows), dtype=np.int8)
    labels[times > times.max() - horizon] = -1
    labels[(until > 0) & (until <= horizon)] = 1
    labels[until <= 0] = -1
    return labels
