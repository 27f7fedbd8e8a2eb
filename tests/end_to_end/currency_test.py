# What a merchant's currency does to its limits: none before there is one.
import json

from support import outputs, program

START_MS = 1_700_000_000_000
DAY_MS = 86_400_000


def payment(number, day, **changes):
    return {"event_id": f"p{number}", "merchant_id": "m", "type": "payment",
            "event_time": START_MS + day * DAY_MS + number, "amount": "1000.00",
            "currency": "CNY"} | changes


def replay(folder, **sources):
    inputs = {}
    for source, events in sources.items():
        inputs[source] = folder / f"{source}.jsonl"
        inputs[source].write_text("".join(json.dumps(event) + "\n" for event in events))
    program.replay(inputs, folder / "out")
    return [json.loads(line) for line in outputs.lines_of(folder / "out", "limits")]


def test_a_merchant_without_a_currency_has_no_limit_yet(tmp_path):
    """A sweep looks at all merchants, also at those that have had signals or a profile alone."""
    limits = replay(
        tmp_path,
        payments=[payment(day, day) for day in range(4)]
        + [payment(9, 5, merchant_id="later", currency="JPY", amount="10")],
        merchants=[{"merchant_id": "profile", "event_time": START_MS}],
        signals=[{"event_id": "s", "merchant_id": "later", "event_time": START_MS,
                  "name": "power", "value": 1}],
    )
    assert {limit["merchant_id"]: limit["currency"] for limit in limits} == {
        "m": "CNY", "later": "JPY"}
