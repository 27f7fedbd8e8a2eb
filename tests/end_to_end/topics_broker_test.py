# What `topics` and `serve` do with a cluster that is not as it should be: one line and status 1,
# in time, and nothing touched that exists.
import json
import signal
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from support import kafka, program


def make_topics(broker, counts):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    topics = [NewTopic(name, num_partitions=n, replication_factor=1) for name, n in counts.items()]
    for future in admin.create_topics(topics).values():
        future.result(30)


def delete_topic(broker, name):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.delete_topics([name])[name].result(30)
    deadline = time.monotonic() + 30
    while name in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_create_makes_what_is_missing_and_leaves_what_exists(broker, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path, inputs="create-")
    make_topics(broker, {"create-payments.v1": 3})
    first = deployment.create_topics(partitions=3)
    made = {t["topic"]: t["created"] for t in first["topics"]}
    assert made.pop("create-payments.v1") is False
    assert len(made) == 14 and all(made.values()), made
    again = deployment.create_topics(partitions=3)
    assert not any(t["created"] for t in again["topics"])
    counts = {t["topic"]: t["partitions"] for t in again["topics"]}
    assert counts.pop("create-control.v1") == counts.pop("create-redriven.v1") == 1
    assert counts["create-payments.v1"] == 3 and counts["create-invoices.v1"] == 3
    # Another wish later changes nothing.
    later = deployment.create_topics(partitions=5)
    assert {t["topic"]: t["partitions"] for t in later["topics"]} == counts | {
        "create-control.v1": 1, "create-redriven.v1": 1
    }


def test_serve_names_a_missing_topic(broker, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path, inputs="missing-")
    deployment.create_topics(partitions=2)
    delete_topic(broker, "missing-invoices.v1")
    with deployment.serve() as serve:
        said = serve.fails()
    assert said.startswith("tidemark: ") and "missing-invoices.v1" in said
    assert len(serve.words().strip().splitlines()) == 1


def test_serve_refuses_topics_of_different_partition_counts(broker, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path, inputs="uneven-")
    make_topics(broker, {"uneven-payments.v1": 4, "uneven-invoices.v1": 3})
    deployment.create_topics(partitions=4)
    with deployment.serve() as serve:
        said = serve.fails()
    assert "uneven-payments.v1" in said and "uneven-invoices.v1" in said
    assert "4" in said and "3" in said
    assert len(serve.words().strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["serve", "topics"])
def test_an_unreachable_broker_ends_it_in_time(tmp_path, command):
    begin = time.monotonic()
    said = program.fails(
        1, command, "--config", program.CONFIG,
        *program.settings("kafka.bootstrap_servers=127.0.0.1:1", "kafka.connect_timeout_s=3",
                          *program.SMALL),
    )  # fmt: skip
    assert time.monotonic() - begin < 12
    assert "127.0.0.1:1" in said


def test_a_second_instance_fences_the_first(broker, tmp_path):
    deployment = kafka.Deployment(broker, tmp_path, inputs="fence-")
    deployment.create_topics(partitions=2)
    line = json.dumps(
        {"event_id": "p", "merchant_id": "m-1", "type": "payment",
         "event_time": "2025-02-01T10:00:00Z", "amount": "5.00", "currency": "CNY"}
    )  # fmt: skip
    (tmp_path / "payments.jsonl").write_text(line + "\n")
    with deployment.serve() as first:
        first.wait_ready()
        with deployment.serve() as second:
            second.wait_ready()
            # The first learns of it at the latest when it has something to commit.
            deployment.load({"payments": tmp_path / "payments.jsonl"}, partitions=2)
            said = first.fails()
            assert "fenced" in said, said
            second.wait_caught_up()
            second.process.send_signal(signal.SIGTERM)
            assert second.process.wait(30) == 0, second.words()
    assert len(kafka.values(deployment.outputs("verdicts")["verdicts"])) == 1


def test_serve_refuses_payers_of_invoices(broker, tmp_path):
    """The topics in which events meet their payers have payments alone."""
    spec = tmp_path / "features.yaml"
    spec.write_text(
        "spec: payers\nmeasures:\n  paid: {entity: payer, source: invoices, value: amount}\n"
        "features:\n  - {name: paid_7d, aggregate: sum, of: paid, window: 7d}\n"
    )
    deployment = kafka.Deployment(broker, tmp_path, inputs="payers-")
    deployment.values.append(f"features.spec={spec}")
    deployment.create_topics(partitions=1)
    serve = deployment.serve()
    serve.process.communicate(timeout=60)
    assert serve.process.returncode == 2, serve.words()
    assert "made of invoices" in serve.words().strip().splitlines()[-1]
