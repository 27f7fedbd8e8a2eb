# The budget of dead letters: a broken topic stops `serve` before it is drained, as often as it is
# started, until the budget is raised.
import json

import pytest
from confluent_kafka import Producer
from support import kafka, pages

PARTITION = 0
BUDGET = ("dead_letters.max=20", "dead_letters.of_last=100", "batch.events_max=10")


def payment(number):
    return json.dumps(
        {
            "event_id": f"e-{number}",
            "merchant_id": "m-1",
            "type": "payment",
            "amount": "12.50",
            "currency": "EUR",
            "event_time": 1_700_000_000_000 + number * 60_000,
        }
    ).encode()


def send(deployment, values):
    """To one partition of the payments; the merchant's own does not matter for what is counted."""
    producer = Producer({"bootstrap.servers": deployment.broker.bootstrap, "log_level": 0})
    for value in values:
        producer.produce(deployment.input_topic("payments"), value, b"m-1", PARTITION)
    producer.flush(30)


def published(deployment, output):
    return kafka.read_committed(deployment.broker, deployment.output_topic(output), PARTITION)


def test_a_broken_topic_stops_serve_until_the_budget_is_raised(tmp_path):
    with kafka.Broker(tmp_path) as broker:
        deployment = kafka.Deployment(broker, tmp_path)
        deployment.create_topics(partitions=1)
        send(deployment, [payment(n) for n in range(200)])
        with deployment.serve(*BUDGET) as serve:
            serve.wait_caught_up()
            # Twenty are let through, one more is not, and as often as it is started.
            send(deployment, [b"{" for _ in range(20)])
            serve.wait_caught_up()
            send(deployment, [b'{"merchant_id":"m-1"}'] + [payment(n) for n in range(200, 210)])
            line = serve.fails()
        assert "21 of the last 100 records are dead letters, dead_letters.max is 20" in line, line
        assert "payments.v1 [0] at offset 220: " in line and "event_id" in line, line
        with deployment.serve(*BUDGET) as serve:
            assert serve.fails() == line
        assert len(published(deployment, "dead-letter")) == 20
        assert len(published(deployment, "verdicts")) == 200

        port = pages.free_port()
        with deployment.serve(*BUDGET, "dead_letters.max=30", f"http.port={port}") as serve:
            serve.wait_caught_up()
            used = pages.metric(port, 'tidemark_dead_letter_budget_used_ratio{partition="0"}')
            assert used == pytest.approx(21 / 30)
            serve.finish()
        assert len(published(deployment, "dead-letter")) == 21
        # More than the budget lie behind, but good records are no reason to stop.
        send(deployment, [payment(n) for n in range(300, 310)])
        with deployment.serve(*BUDGET) as serve:
            serve.wait_caught_up()
            serve.finish()
        assert len(published(deployment, "verdicts")) == 220
