"""The Handbook's protocol: train on a week, wait a week until its frauds are known, test on the
next, without the cards that are known to be compromised by then. And its three measures.
"""

import datetime
from dataclasses import dataclass

import numpy as np

from handbook_features import DAY_S, KNOWN_AFTER_D
from rows import TrainingError

TRAIN_D, DELAY_D, TEST_D = 7, KNOWN_AFTER_D, 7
TOP_CARDS = 100  # that investigators can look at in a day


@dataclass(frozen=True)
class Week:
    """Row numbers of the training week and of what is tested."""

    train_from: datetime.date
    train: np.ndarray
    test: np.ndarray


def make_week(table, train_from):
    """On a test day the frauds are known of all days from the first of training to the eighth day
    before it; transactions of cards with such a fraud are not tested."""
    day = table["time_s"].to_numpy() // DAY_S
    fraud = table["TX_FRAUD"].to_numpy() == 1
    card = table["CUSTOMER_ID"].to_numpy()
    first = (train_from - datetime.date(1970, 1, 1)).days
    if first < day[0] or first + TRAIN_D + DELAY_D + TEST_D - 1 > day[-1]:
        raise TrainingError(f"--train-from {train_from}: the data end before the "
                            f"{TRAIN_D + DELAY_D + TEST_D} days from there, or begin after it")
    train = np.flatnonzero((day >= first) & (day < first + TRAIN_D))
    tested = []
    for test_day in range(first + TRAIN_D + DELAY_D, first + TRAIN_D + DELAY_D + TEST_D):
        known = np.unique(card[fraud & (day >= first) & (day < test_day - KNOWN_AFTER_D)])
        tested.append(np.flatnonzero((day == test_day) & ~np.isin(card, known)))
    test = np.concatenate(tested)
    for name, rows in (("training", train), ("test", test)):
        if len(np.unique(fraud[rows])) < 2:
            raise TrainingError(f"--train-from {train_from}: the {name} week needs frauds and "
                                "others")
    return Week(train_from, train, test)


def hits_above(labels, scores):
    """Frauds and rows at or above each distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    return np.cumsum(labels[order], dtype=np.int64)[ends], ends + 1


def area_under_roc(labels, scores):
    """By trapezoids, so that equal scores count half."""
    hits, rows = hits_above(labels, scores)
    rate = np.concatenate([[0], hits / hits[-1]])
    false_rate = np.concatenate([[0], (rows - hits) / (rows[-1] - hits[-1])])
    return float(np.trapezoid(rate, false_rate))


def average_precision(labels, scores):
    """Precision at each distinct score, weighted by the recall that it adds."""
    hits, rows = hits_above(labels, scores)
    return float((hits / rows * np.diff(hits, prepend=0)).sum() / hits[-1])


def card_precision(table, rows, scores, top=TOP_CARDS):
    """Mean over the days of the share of compromised cards among the `top` cards of the day, a card
    having its highest score. A card that was found is left out from the next day on."""
    day = table["time_s"].to_numpy()[rows] // DAY_S
    card = table["CUSTOMER_ID"].to_numpy()[rows]
    fraud = table["TX_FRAUD"].to_numpy()[rows]
    found = np.empty(0, dtype=card.dtype)
    precisions = []
    for one in np.unique(day):
        inside = (day == one) & ~np.isin(card, found)
        cards, code = np.unique(card[inside], return_inverse=True)
        best = np.full(len(cards), -np.inf)
        np.maximum.at(best, code, scores[inside])
        compromised = np.bincount(code, weights=fraud[inside], minlength=len(cards)) > 0
        chosen = np.argsort(-best, kind="stable")[:top]
        hits = cards[chosen[compromised[chosen]]]
        precisions.append(len(hits) / top)
        found = np.concatenate([found, hits])
    return float(np.mean(precisions))


def measure(table, week, scores):
    labels = table["TX_FRAUD"].to_numpy()[week.test]
    return {"auc": area_under_roc(labels, scores), "ap": average_precision(labels, scores),
            f"cp{TOP_CARDS}": card_precision(table, week.test, scores)}
