"""The converters on inputs made up here: exact amounts, labels seven days later, time order, one
line on stderr for what cannot be read."""
import json
import lzma
import os
import pathlib
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ.get("TIDEMARK_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
HANDBOOK_HEAD = ("TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD,"
                 "TX_FRAUD_SCENARIO\n")
RECEIVABLES_HEAD = ("countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,"
                    "InvoiceAmount,Disputed,SettledDate,PaperlessBill,DaysToSettle,DaysLate\n")


def run(name, source, folder):
    return subprocess.run([sys.executable, SOURCE / "tools/convert" / name, "--in", source, "--out",
                           folder], capture_output=True, text=True, check=False)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("packed", [False, True])
def test_handbook(tmp_path, packed):
    text = (HANDBOOK_HEAD + "19,2018-04-01 00:00:31,596,3156,57.1,0,0\n"
            "20,2018-04-28 23:59:59,5,7,85.64999999999999,1,2\n"
            "21,2018-04-29 00:00:00,5,7,146,0,0\n")
    source = tmp_path / ("in.csv.xz" if packed else "in.csv")
    source.write_bytes(lzma.compress(text.encode()) if packed else text.encode())
    done = run("handbook", source, tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "payments 3, feedback 1\n"), done.stderr
    payments = lines_of(tmp_path / "out/payments.jsonl")
    assert payments[0] == {
        "event_id": "p-19", "merchant_id": "t-3156", "type": "payment",
        "event_time": "2018-04-01T00:00:31Z", "amount": "57.10", "currency": "CNY",
        "payer_id": "c-596", "channel": "pos", "certified": True, "ref_event_id": None,
        "invoice_id": None, "order_id": None}
    assert [payment["amount"] for payment in payments] == ["57.10", "85.65", "146.00"]
    assert lines_of(tmp_path / "out/feedback.jsonl") == [{
        "event_id": "f-20", "merchant_id": "t-7", "type": "fraud",
        "event_time": "2018-05-05T23:59:59Z", "ref_event_id": "p-20"}]


@pytest.mark.parametrize("row", [
    "19,2018-04-01 00:00:31,596,3156,57.164,0,0", "19,2018-04-01 00:00:31,596,3156,-1,0,0",
    "19,2018-04-01 00:00:31,596,3156,nan,0,0", "19,2018-04-01 00:00:31,596,3156,abc,0,0",
    "19,2018-04-31 00:00:31,596,3156,57.1,0,0", "19,2018-04-01 00:00:31,596,,57.1,0,0",
    "19,2018-04-01 00:00:31,596,3156,57.1,2,0", "19,2018-04-01"])
def test_handbook_names_the_bad_line(tmp_path, row):
    source = tmp_path / "in.csv"
    source.write_text(HANDBOOK_HEAD + "1,2018-04-01 00:00:00,1,1,1.0,0,0\n" + row + "\n")
    done = run("handbook", source, tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith(f"handbook: {source}:3: ") and done.stderr.count("\n") == 1


def test_handbook_refuses_another_order_or_shape(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(HANDBOOK_HEAD + "1,2018-04-02 00:00:00,1,1,1.0,0,0\n"
                      "2,2018-04-01 00:00:00,1,1,1.0,0,0\n")
    assert "back in time" in run("handbook", source, tmp_path / "out").stderr
    source.write_text("A,B\n1,2\n")
    assert "no column TRANSACTION_ID" in run("handbook", source, tmp_path / "out").stderr
    assert run("handbook", tmp_path / "none.csv", tmp_path / "out").returncode == 1


def test_receivables(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(
        RECEIVABLES_HEAD + "391,A-1,4/6/2013,0001,1/2/2013,2/1/2013,55.9,No,1/15/2013,Paper,13,0\n"
        "406,B-2,4/6/2013,0002,1/2/2013,2/1/2013,7,Yes,2/2/2013,Paper,31,1\n"
        "391,A-1,4/6/2013,0003,1/1/2013,1/31/2013,1.00,Yes,1/1/2013,Paper,0,0\n")
    done = run("receivables", source, tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "receivables 3, events 9\n"), done.stderr
    events = lines_of(tmp_path / "out/invoices.jsonl")
    assert events[3] == {
        "event_id": "i-0001-issued", "merchant_id": "s-391", "type": "issued",
        "event_time": "2013-01-02T00:00:00Z", "invoice_id": "n-0001", "amount": "55.90",
        "currency": "USD", "buyer_id": "b-A-1", "due_time": "2013-02-01T00:00:00Z"}
    assert [(event["event_id"], event["event_time"][:10]) for event in events] == [
        ("i-0003-issued", "2013-01-01"), ("i-0003-disputed", "2013-01-01"),
        ("i-0003-paid", "2013-01-01"), ("i-0001-issued", "2013-01-02"),
        ("i-0002-issued", "2013-01-02"), ("i-0002-disputed", "2013-01-03"),
        ("i-0001-paid", "2013-01-15"), ("i-0002-overdue", "2013-02-02"),
        ("i-0002-paid", "2013-02-02")]


@pytest.mark.parametrize("old,new", [("1/2/2013", "13/2/2013"), ("55.94", "55.944"),
                                     ("55.94", "-1"), ("No", "Maybe"), ("1/15/2013", "")])
def test_receivables_names_the_bad_line(tmp_path, old, new):
    row = "391,A-1,4/6/2013,0001,1/2/2013,2/1/2013,55.94,No,1/15/2013,Paper,13,0\n"
    source = tmp_path / "in.csv"
    source.write_text(RECEIVABLES_HEAD + row.replace(old, new))
    done = run("receivables", source, tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.startswith(f"receivables: {source}:2: ") and done.stderr.count("\n") == 1
