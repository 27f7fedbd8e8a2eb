# Events that come while something happens: lines of a scene in the order of their event times,
# produced by a thread at a steady rate, whatever becomes of the brokers meanwhile.
import heapq
import json
import threading
import time

from confluent_kafka import Producer
from support import program, scene


class Feed:
    """Produces all lines of {source: file}, or what it comes to until stop()."""

    def __init__(self, deployment, inputs, per_s, partitions):
        self.deployment, self.per_s = deployment, per_s
        self.lines = in_order_of_time(inputs)
        self.partitioner = scene.Partitioner(partitions)
        self.ends = threading.Event()
        self.errors = []
        self.sent = 0
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def stop(self):
        """Ends it; everything sent has been acknowledged. Gives how many records."""
        self.ends.set()
        self.thread.join()
        assert not self.errors, self.errors[0]
        return self.sent

    def run(self):
        # Only the brokers' absence for longer than this would lose a record, and it would be named.
        producer = Producer(
            {
                "bootstrap.servers": self.deployment.broker.bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 20,
                "message.timeout.ms": 300_000,
                "log_level": 0,
            }
        )
        began = time.monotonic()
        for source, line in self.lines:
            while self.sent > (time.monotonic() - began) * self.per_s:
                producer.poll(0.01)
                if self.ends.is_set():
                    break
            if self.ends.is_set():
                break
            key, at = (None, 0) if source == "control" else self.partitioner.place(line)
            producer.produce(
                self.deployment.input_topic(source), line, key, partition=at,
                timestamp=program.NOW_MS, on_delivery=self.delivered,
            )  # fmt: skip
            self.sent += 1
        if producer.flush(300) > 0:
            self.errors.append("not everything was delivered")

    def delivered(self, error, _):
        if error:
            self.errors.append(str(error))


def in_order_of_time(inputs):
    """(source, line) of all files, one after another as their times say."""
    files = [timed(source, path) for source, path in inputs.items()]
    for _, source, line in heapq.merge(*files, key=lambda entry: entry[0]):
        yield source, line


def timed(source, path):
    """(time, source, line) of one file. A line without a time, or with an earlier one than the
    lines before it, stands where it stands."""
    last = ""
    with path.open("rb") as file:
        for line in file:
            line = line.rstrip(b"\n")
            if not line.strip():
                continue
            try:
                at = json.loads(line)["event_time"]
                # A time far in the future is a mistake of that line alone.
                last = at if isinstance(at, str) and last < at < program.NOW else last
            except (ValueError, TypeError, KeyError):
                pass
            yield last, source, line
