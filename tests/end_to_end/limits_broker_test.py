# What befalls the log itself: records larger than usual, transactions of others that were aborted,
# partitions that were added, segments that retention took. Each has its outcome or its clear end.
import json
import random
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from support import kafka, outputs, program, proof, scene

PARTITIONS = 2
LARGE = 9_000_000  # above fetch.message.max.bytes, below the broker's message.max.bytes


@pytest.fixture
def deployment(broker, small_scene, tmp_path, request):
    made = kafka.Deployment(broker, tmp_path, inputs=f"{request.node.name[5:30]}-")
    made.create_topics(PARTITIONS)
    part = scene.cut_at(small_scene, 0.1, tmp_path / "inputs")
    made.sent = sum(made.load(part, PARTITIONS).values())
    return made


def configure(deployment, topic, **values):
    admin = AdminClient({"bootstrap.servers": deployment.broker.bootstrap, "log_level": 0})
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for done in admin.incremental_alter_configs([resource]).values():
        done.result()


def producer_of(deployment, **more):
    return Producer({"bootstrap.servers": deployment.broker.bootstrap, "log_level": 0,
                     "message.max.bytes": 16_000_000, **more})  # fmt: skip


def payment(number):
    event = {
        "event_id": f"extra-{number}", "type": "payment", "merchant_id": "m-extra",
        "event_time": "2026-05-01T12:00:00Z", "amount": "12.00", "currency": "EUR",
    }  # fmt: skip
    return json.dumps(event).encode()


KEY, PLACE = scene.Partitioner(PARTITIONS).place(payment(0))


def test_a_large_record_is_a_letter_and_harms_no_neighbour(deployment):
    producer = producer_of(deployment)
    topic = deployment.input_topic("payments")
    large = random.Random(1).randbytes(LARGE // 2).hex().encode()  # compression makes it no smaller
    values = [payment(1), b'{"type":"payment","note":"' + large, payment(2)]
    for value in values:
        producer.produce(topic, value, KEY, partition=PLACE, timestamp=program.NOW_MS)
    assert producer.flush(60) == 0
    letters = deployment.output_topic("dead-letter")
    configure(deployment, letters, max_message_bytes="1000000")
    # A topic of dead letters that does not take it ends the engine, by name, with nothing lost.
    with deployment.serve() as serve:
        line = serve.fails(90)
    assert letters in line and "refuses a record for good" in line, line
    configure(deployment, letters, max_message_bytes="16000000")
    with deployment.serve() as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    assert counts["consumed"] == deployment.sent + len(values)
    found = kafka.letters(deployment.outputs("dead-letter")["dead-letter"])
    assert values[1] in [value for _, _, value in found.values()]
    proof.assert_each_proved(deployment, counts["consumed"])


def test_what_others_aborted_is_never_scored(deployment):
    topic = deployment.input_topic("payments")
    producer = producer_of(deployment, **{"transactional.id": "upstream"})
    producer.init_transactions()
    committed = 0
    for number in range(12):
        producer.begin_transaction()
        for record in range(20):
            value = payment(f"{number}-{record}")
            producer.produce(topic, value, KEY, partition=PLACE, timestamp=program.NOW_MS)
        producer.flush()
        if number % 3 == 0:
            producer.commit_transaction()
            committed += 20
        else:
            producer.abort_transaction()
    with deployment.serve() as serve:
        serve.wait_ready()
        serve.wait_committed(deployment.sent + committed - 8)  # control has no group offset
        time.sleep(2)
        counts = serve.finish()
    outputs.assert_identity(counts)
    assert counts["consumed"] == deployment.sent + committed
    verdicts = [json.loads(v) for v in kafka.values(deployment.outputs("verdicts")["verdicts"])]
    extra = {v["event_id"] for v in verdicts if v["event_id"].startswith("extra-")}
    assert extra == {f"extra-{n}-{r}" for n in range(0, 12, 3) for r in range(20)}
    proof.assert_each_proved(deployment, counts["consumed"])


def test_partitions_that_are_added_end_it(deployment):
    admin = AdminClient({"bootstrap.servers": deployment.broker.bootstrap, "log_level": 0})
    topic = deployment.input_topic("payments")
    with deployment.serve("kafka.client.topic.metadata.refresh.interval.ms=1000") as serve:
        serve.wait_caught_up()
        for done in admin.create_partitions([NewPartitions(topic, PARTITIONS + 1)]).values():
            done.result()
        line = serve.fails(30)
    assert f"partition {PARTITIONS} was added while serving" in line, line
    with deployment.serve() as serve:
        line = serve.fails(30)
    assert topic in line and "partitions" in line, line


def test_segments_that_retention_took_end_it(deployment):
    """It fell behind its log's beginning: to go on would be to skip what nobody decided on."""
    with deployment.serve() as serve:
        serve.wait_caught_up()
        serve.finish()
    before = {n: kafka.values(p) for n, p in deployment.outputs(*proof.COMPARED).items()}
    topic = deployment.input_topic("payments")
    producer = producer_of(deployment)
    for number in range(1000):
        producer.produce(topic, payment(number), KEY, partition=PLACE, timestamp=program.NOW_MS)
    assert producer.flush(60) == 0
    ends = deployment.ends()[(topic, PLACE)]
    configure(deployment, topic, retention_ms="1000")
    deadline = time.monotonic() + 90
    while deployment.begins()[(topic, PLACE)] < ends:
        assert time.monotonic() < deadline, "retention took nothing"
        time.sleep(0.5)
    with deployment.serve() as serve:
        line = serve.fails(60)
    assert topic in line and "no longer" in line, line
    after = {n: kafka.values(p) for n, p in deployment.outputs(*proof.COMPARED).items()}
    assert after == before
