# Feeds the generated events to Kafka in event-time order, at many times the speed they happened.
# One thread of its own; demo.py asks it for progress. It changes no event.
import datetime
import json
import threading
import time

from confluent_kafka import Producer

SOURCES = ("payments", "invoices", "merchants", "signals", "feedback", "control")
DAY = 86_400


def moment(text):
    """Seconds since 1970 of an event's own time, or None where it cannot be read."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text / 1000
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return parsed.timestamp() if parsed.tzinfo else None


def lines_in_order(folder, source, horizon):
    """(time, key, line) of one file, in the order of the file: a line that is late, or whose time
    cannot be trusted, goes out right behind the one before it."""
    path = folder / f"{source}.jsonl"
    last = float("-inf")
    with path.open("rb") as file:
        for line in file:
            line = line.rstrip(b"\n")
            if not line.strip():
                continue
            key = None
            try:
                event = json.loads(line)
                at = moment(event.get("event_time"))
                if at is not None and at < horizon:
                    last = max(last, at)
                if source != "control":
                    key = event["merchant_id"]
                    key = key.encode() if isinstance(key, str) else None
            except (ValueError, AttributeError, KeyError):
                pass
            yield last, key, line


def merged(folder, horizon):
    """All files as one stream of (time, source, key, line): by time, then by source."""
    streams = {}
    for source in SOURCES:
        if (folder / f"{source}.jsonl").exists():
            streams[source] = lines_in_order(folder, source, horizon)
    heads = {source: next(stream, None) for source, stream in streams.items()}
    heads = {source: head for source, head in heads.items() if head}
    while heads:
        source = min(heads, key=lambda name: (heads[name][0], SOURCES.index(name)))
        # As long as this source stays in front of the others, nothing has to be compared anew.
        others = [head[0] for name, head in heads.items() if name != source]
        until = min(others, default=float("inf"))
        head = heads[source]
        while head and head[0] <= until:
            yield head[0], source, head[1], head[2]
            head = next(streams[source], None)
        if head:
            heads[source] = head
        else:
            del heads[source]


class Pace:
    """Days of events per second: fast over the history that windows need, then slow enough to
    watch."""

    def __init__(self, history_days, fast, slow):
        self.history_days, self.fast, self.slow = history_days, fast, slow

    def due_days(self, elapsed_s):
        fast_s = self.history_days / self.fast
        if elapsed_s <= fast_s:
            return elapsed_s * self.fast
        return self.history_days + (elapsed_s - fast_s) * self.slow


class Feeder(threading.Thread):
    def __init__(self, bootstrap, folder, pace, seconds):
        super().__init__(daemon=True)
        self.folder, self.pace, self.seconds = folder, pace, seconds
        self.sent = dict.fromkeys(SOURCES, 0)
        self.delivered = dict.fromkeys(SOURCES, 0)
        self.at = None
        self.error = None
        self.stopping = threading.Event()
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,  # what goes wrong comes back as an error; stderr stays clean
            }
        )

    def stop(self):
        self.stopping.set()

    def run(self):
        try:
            self.feed()
        except Exception as error:  # shown by the main thread, which then ends the demo
            self.error = error

    def feed(self):
        counters = {source: self.counter(source) for source in SOURCES}
        horizon = time.time() + DAY
        begin = time.monotonic()
        first = None
        for at, source, key, line in merged(self.folder, horizon):
            if first is None and at > float("-inf"):
                first = at
            if first is not None and not self.wait_until_due((at - first) / DAY, begin):
                break
            while True:
                try:
                    self.producer.produce(
                        f"{source}.v1", value=line, key=key, on_delivery=counters[source]
                    )
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.sent[source] += 1
            self.at = at if at > float("-inf") else self.at
            if sum(self.sent.values()) % 512 == 0:
                self.producer.poll(0)
        if self.producer.flush(30) > 0:
            raise RuntimeError("the broker did not take all events within 30 s")

    def wait_until_due(self, days, begin):
        """False when the stream is to end here."""
        while not self.stopping.is_set():
            elapsed = time.monotonic() - begin
            if self.seconds and elapsed >= self.seconds:
                return False
            if self.pace.due_days(elapsed) >= days:
                return True
            self.producer.poll(0.01)
        return False

    def counter(self, source):
        def count(error, message):
            if error:
                self.error = RuntimeError(f"{message.topic()}: {error}")
            else:
                self.delivered[source] += 1

        return count
