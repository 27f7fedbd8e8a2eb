# Reads the outputs back, counts them and picks those worth showing. The counts decide the demo's
# exit status: they are taken with read_committed from Kafka, or from the files of a replay. Used by
# the main thread only.
import collections
import json

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

OUTPUTS = ("verdicts", "limits", "alerts", "dead-letter", "late")


class Waiting:
    """The newest records that wait to be shown; of those worth more, more are kept."""

    def __init__(self):
        self.first, self.then = collections.deque(maxlen=24), collections.deque(maxlen=8)

    def add(self, record, is_first):
        (self.first if is_first else self.then).append(record)

    def newest(self):
        """Takes the newest, the better ones before the others; None when there is none."""
        return self.first.pop() if self.first else self.then.pop() if self.then else None


class Tally:
    """Counts of outputs by kind, and the newest records of each kind that deserve a look."""

    def __init__(self):
        self.counts = collections.Counter()
        self.verdicts = collections.Counter()
        self.tiers = collections.Counter()
        self.active = {}
        self.errors = collections.Counter()
        self.release = None
        # By kind; `first` is shown while there is some, `then` fills the gaps.
        kinds = ("alerts", "verdicts", "limits", "dead-letter")
        self.candidates = {kind: Waiting() for kind in kinds}

    def take(self, kind, value, error=None):
        self.counts[kind] += 1
        if kind == "verdicts":
            self.take_verdict(value)
        elif kind == "limits":
            self.take_limit(json.loads(value))
        elif kind == "alerts":
            alert = json.loads(value)
            if alert["state"] == "opened":
                self.tiers[alert["tier"]] += 1
            self.candidates["alerts"].add(alert, alert["state"] == "opened")
        elif kind == "dead-letter":
            self.errors[error[0]] += 1
            self.candidates[kind].add({"error": error[0], "message": error[1]}, True)

    def take_verdict(self, value):
        # Most verdicts allow; only the others are worth the time of a JSON parser.
        if b'"verdict":"allow"' in value:
            self.verdicts["allow"] += 1
            if self.release is None:
                self.release = json.loads(value)["provenance"]["release"]
            return
        verdict = json.loads(value)
        self.verdicts[verdict["verdict"]] += 1
        self.candidates["verdicts"].add(verdict, verdict["verdict"] == "block")

    def take_limit(self, limit):
        merchant = limit["merchant_id"]
        if limit["status"] == "active":
            self.active[merchant] = (limit["currency"], float(limit["limit"]))
        else:
            self.active.pop(merchant, None)
        falls = float(limit["limit"]) < float(limit["previous"])
        self.candidates["limits"].add(limit, falls or limit["status"] != "thin_file")

    def decisions(self):
        return self.counts["verdicts"] + self.counts["limits"] + self.counts["alerts"]


def file_into(tally, folder, kind):
    """Takes in one file that a replay wrote, yielding after each record."""
    with (folder / f"{kind}.jsonl").open("rb") as file:
        for line in file:
            error = None
            if kind == "dead-letter":
                letter = json.loads(line)
                error = (letter["error"], letter["message"])
            tally.take(kind, line, error)
            yield kind


class OutputReader:
    """All output partitions from their beginning, as a read_committed consumer sees them."""

    def __init__(self, bootstrap):
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "demo-view",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )
        topics = self.consumer.list_topics(timeout=10).topics
        self.kinds = {f"{kind}.v1": kind for kind in OUTPUTS}
        self.partitions = [
            TopicPartition(topic, number, OFFSET_BEGINNING)
            for topic in self.kinds
            for number in topics[topic].partitions
        ]
        self.consumer.assign(self.partitions)
        self.at_end = set()

    def read(self, tally, timeout_s):
        for message in self.consumer.consume(5000, timeout_s):
            place = (message.topic(), message.partition())
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    self.at_end.add(place)
                    continue
                raise RuntimeError(f"{message.topic()}: {message.error()}")
            self.at_end.discard(place)
            error = None
            if place[0] == "dead-letter.v1":
                headers = dict(message.headers() or [])
                error = (headers["error"].decode(), headers["message"].decode())
            tally.take(self.kinds[place[0]], message.value(), error)

    def drain(self, tally, deadline):
        """Reads to the end of every partition; `deadline` is called and raises when it is late."""
        self.at_end.clear()
        # An end is reported once; assigning anew at the same positions asks for all of them again.
        asked = [TopicPartition(p.topic, p.partition) for p in self.partitions]
        positions = self.consumer.position(asked)
        for position in positions:
            if position.offset < 0:
                position.offset = OFFSET_BEGINNING
        self.consumer.assign(positions)
        while len(self.at_end) < len(self.partitions):
            deadline()
            self.read(tally, 0.2)

    def close(self):
        self.consumer.close()


def accounting_errors(fed, engine, tally):
    """What does not add up, in sentences; empty when every event is accounted for."""
    wrong = []

    def expect(holds, sentence):
        if not holds:
            wrong.append(sentence)

    for source, count in fed.items():
        consumed = engine["sources"].get(source, {}).get("consumed", 0)
        expect(consumed == count, f"{count} {source} were fed, {consumed} consumed")
    outcomes = ("scored", "applied", "dead_lettered", "late", "duplicate")
    for name, counts in [("all", engine), *engine["sources"].items()]:
        total = sum(counts[outcome] for outcome in outcomes)
        expect(
            counts["consumed"] == total,
            f"{name}: {counts['consumed']} consumed, but their outcomes are {total}",
        )
    for outcome, kind in (("scored", "verdicts"), ("dead_lettered", "dead-letter"), ("late",) * 2):
        expect(
            engine[outcome] == tally.counts[kind],
            f"{engine[outcome]} {outcome}, but {tally.counts[kind]} records in {kind}",
        )
    expect(tally.decisions() > 0, "no decision came out")
    return wrong
