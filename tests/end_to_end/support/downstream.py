# Who reads the verdicts, and how long it sees none when an instance dies.
import time

from confluent_kafka import OFFSET_END, Consumer, TopicPartition


class Downstream:
    """A read_committed consumer that was there all the time."""

    def __init__(self, deployment, partitions):
        topic = deployment.output_topic("verdicts")
        self.consumer = Consumer(
            {
                "bootstrap.servers": deployment.broker.bootstrap,
                "group.id": "downstream",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        self.consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in partitions])
        assert self.consumer.consume(1, 30), "nothing comes"

    def seconds_without(self, owner, then=lambda: None):
        """Kills the owner and does what is to be done then; from the death to the first verdict of
        somebody else's."""
        owner.kill()
        died, died_ms = time.monotonic(), time.time() * 1000
        then()
        while time.monotonic() - died < 300:
            for message in self.consumer.consume(1000, 0.02):
                if message.timestamp()[1] > died_ms:
                    return time.monotonic() - died
        raise AssertionError("no takeover")
