# What a merchant's currency does to its limits: none before there is one, and none that was made of
# amounts in another one.
import csv
import hashlib
import json
import shutil

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


RATES = ["as_of,from,to,rate", "2023-11-01,JPY,CNY,0.0485", "2023-11-20,JPY,CNY,0.05",
         "2023-12-01,JPY,CNY,"]
# START_MS is in the evening of 2023-11-14.
ABROAD = [payment(0, 0), payment(1, 0, currency="JPY", amount="1001"),
          payment(2, 6, currency="JPY", amount="1001"), payment(3, 6, currency="USD"),
          payment(4, 17, currency="JPY", amount="1001"), payment(5, 17)]


def bundle_with(folder, rates):
    """The quickstart's bundle with a table of rates."""
    bundle = folder / "bundle"
    shutil.copytree(program.ROOT / "examples/quickstart/bundle", bundle)
    with open(bundle / "manifest.yaml", "a", encoding="utf-8") as manifest:
        manifest.write("rates: {file: rates.csv}\n")
    (bundle / "rates.csv").write_text("\n".join(rates) + "\n")
    return bundle


def replay_abroad(folder, *values):
    payments = folder / "payments.jsonl"
    payments.write_text("".join(json.dumps(event) + "\n" for event in ABROAD))
    rows = folder / "rows.csv"
    program.replay({"payments": payments}, folder / "out", *values, rows=rows)
    with open(rows, encoding="utf-8") as lines:
        amounts = {row["event_id"]: (row["amount"], row["inflow_sum_30d"])
                   for row in csv.DictReader(lines)}
    letters = [(line["offset"], line["error"], line["message"])
               for line in map(json.loads, outputs.lines_of(folder / "out", "dead-letter"))]
    return amounts, letters


def test_amounts_count_in_the_merchants_currency_at_the_rate_of_their_day(tmp_path):
    """1001 JPY are 48.5485 CNY at 0.0485, and 50.05 at 0.05."""
    amounts, letters = replay_abroad(tmp_path, f"bundle={bundle_with(tmp_path, RATES)}")
    assert amounts == {"p0": ("1000", "1000"), "p1": ("48.55", "1048.55"),
                       "p2": ("50.05", "1098.6"), "p5": ("1000", "2098.6")}
    missing = "currency: there is no rate from {} to the merchant's CNY as of {}"
    assert letters == [(3, "no_rate", missing.format("USD", "2023-11-20")),
                       (4, "no_rate", missing.format("JPY", "2023-12-01"))]
    release = json.loads(outputs.lines_of(tmp_path / "out", "releases")[0])
    stated = hashlib.sha256((tmp_path / "bundle/rates.csv").read_bytes()).hexdigest()
    assert release["rates"] == {"file": "rates.csv", "sha256": stated}


def test_rows_without_a_bundle_take_the_rates_of_a_setting(tmp_path):
    rates = tmp_path / "rates.csv"
    rates.write_text("\n".join(RATES) + "\n")
    amounts, letters = replay_abroad(tmp_path, "bundle=", f"features.rates={rates}")
    assert amounts["p2"] == ("50.05", "1098.6") and len(letters) == 2


def test_a_line_that_is_no_rate_ends_the_start_with_its_place(tmp_path):
    bundle = bundle_with(tmp_path, [*RATES, "2023-12-02,JPY,CNY,-1"])
    said = program.fails(2, "replay", "--config", program.CONFIG, "--out", tmp_path / "out",
                         "--input", "payments=/dev/null", *program.settings(f"bundle={bundle}"))
    assert f"{bundle}/rates.csv:5:20: rate: is negative" in said
    said = program.fails(2, "replay", "--config", program.CONFIG, "--out", tmp_path / "out",
                         "--input", "payments=/dev/null", *program.settings("features.rates=r.csv"))
    assert "features.rates: is for runs without a bundle" in said
