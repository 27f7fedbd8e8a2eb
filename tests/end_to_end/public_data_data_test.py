# Public data through everything: the Handbook's 872,795 card transactions with their reports of
# fraud, and the 2,466 invoices of the receivables sample, converted by tools/convert, through
# replays and through a real broker. Every event is accounted for, the outputs are the same bytes.
import filecmp

import pytest
from support import kafka, outputs, program, public, scene

TRANSACTIONS, RECEIVABLES = 872_795, 2_466
SOURCES = ("payments", "invoices", "feedback")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    public.convert("handbook", "fdh_2018-04_06.csv.xz", folder)
    public.convert("receivables", "accounts-receivable.csv", folder)
    return {source: folder / f"{source}.jsonl" for source in SOURCES}


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, program.replay(inputs, folder, "threads=2")


def count_lines(path):
    with path.open("rb") as file:
        return sum(1 for _ in file)


def test_every_event_is_accounted_for(inputs, whole):
    folder, summary = whole
    outputs.assert_identity(summary)
    assert count_lines(inputs["payments"]) == TRANSACTIONS
    with inputs["invoices"].open() as file:
        assert sum(1 for line in file if '"type":"issued"' in line) == RECEIVABLES
    for source in SOURCES:
        assert summary["sources"][source]["consumed"] == count_lines(inputs[source]), source
    # The data are clean: nothing is refused, nothing is late, nothing comes twice.
    payments, invoices = (summary["sources"][source] for source in ("payments", "invoices"))
    assert payments["scored"] == TRANSACTIONS
    assert invoices["scored"] == invoices["consumed"] > RECEIVABLES
    assert summary["sources"]["feedback"]["applied"] == count_lines(inputs["feedback"])
    assert count_lines(folder / "verdicts.jsonl") == summary["scored"]


def test_other_batches_and_threads_write_the_same_files(inputs, whole, tmp_path):
    folder, summary = whole
    again = program.replay(inputs, tmp_path, "threads=1", "batch.events_max=4096")
    assert again["state_hash"] == summary["state_hash"]
    for name in (*outputs.DECISIONS, *outputs.LETTERS, "releases"):
        assert filecmp.cmp(tmp_path / f"{name}.jsonl", folder / f"{name}.jsonl", shallow=False)


def test_kafka_gives_what_the_replays_give(broker, inputs, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path)
    deployment.create_topics()
    loaded = deployment.load(inputs)
    assert loaded["payments"] == TRANSACTIONS
    with deployment.serve() as serve:
        serve.wait_caught_up(seconds=400)
        counts = serve.finish()
    outputs.assert_identity(counts)
    for source in scene.SOURCES:
        assert counts["sources"][source]["consumed"] == loaded.get(source, 0), source
    verdicts = 0
    for partition, part in enumerate(scene.split(inputs, kafka.PARTITIONS, tmp_path / "parts")):
        folder = tmp_path / f"replay-{partition}"
        program.replay(part, folder)
        for name in ("verdicts", "limits", "alerts"):
            messages = kafka.read_committed(broker, deployment.output_topic(name), partition)
            found = [message.value() for message in messages]
            expected = outputs.live_names(outputs.lines_of(folder, name), partition)
            outputs.assert_same(found, expected, f"{name}, partition {partition}")
            verdicts += len(found) if name == "verdicts" else 0
    assert verdicts == counts["scored"] == loaded["payments"] + loaded["invoices"]
    for name in outputs.LETTERS:
        assert not kafka.values(deployment.outputs(name)[name]), name
