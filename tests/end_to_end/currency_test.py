# What a merchant's currency does to its limits: none before there is one, and none that was made of
# amounts in another one.
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


def test_takings_in_one_currency_give_no_limit_in_another(tmp_path):
    """200,000.00 CNY are 20,000,000 fen, which is no amount in JPY."""
    days = 100
    limits = replay(
        tmp_path,
        payments=[payment(number, number // 2) for number in range(2 * days)]
        + [payment(2 * days, days, currency="JPY", amount="10")],
        merchants=[{"merchant_id": "m", "event_time": START_MS + days * DAY_MS - 1,
                    "currency": "JPY"}],
    )
    *earlier, last = limits
    assert {limit["currency"] for limit in earlier} == {"CNY"}
    assert earlier[-1]["status"] == "active"
    assert (last["currency"], last["status"], last["limit"], last["previous"]) == (
        "JPY", "thin_file", "0", "0")
    assert last["version"] == len(limits)
    assert len(last["reasons"]) >= 3
