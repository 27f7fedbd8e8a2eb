# A deployment with features of payers: the quickstart whose fraud model reads some of its numbers
# from the payer's windows, topics for the hops, and what came through them.
import json
import shutil
import time

from confluent_kafka import Consumer, TopicPartition
from support import kafka, outputs, program, scene

# Features of the quickstart that become the payer's, under their names, so that its model fits.
OF_PAYERS = ("payment_count_1h", "payment_count_24h", "payment_mean_30d", "payment_max_30d")
MEASURE = "  paid: {entity: payer, source: payments, types: [payment], value: amount}\n"
HEADERS = ("tidemark-topic", "tidemark-partition", "tidemark-offset")


def make_release(folder):
    """Settings of a spec and a bundle with features of payers."""
    text = (program.ROOT / "examples/quickstart/features.yaml").read_text()
    text = text.replace("features:\n", MEASURE + "\nfeatures:\n", 1)
    for name in OF_PAYERS:
        before = f"name: {name}, aggregate: {name.split('_')[1]}, of: payments"
        assert before in text
        text = text.replace(before, before.replace("of: payments", "of: paid"))
    (folder / "features.yaml").write_text(text)
    bundle = folder / "bundle"
    shutil.copytree(program.ROOT / "examples/quickstart/bundle", bundle)
    values = [f"features.spec={folder}/features.yaml", f"bundle={bundle}"]
    told = program.run_well("features", "--config", program.CONFIG, "--json",
                            *program.settings(*values))  # fmt: skip
    manifest = (bundle / "manifest.yaml").read_text().splitlines(keepends=True)
    for number, line in enumerate(manifest):
        if line.startswith("  fingerprint:"):
            manifest[number] = f'  fingerprint: "{json.loads(told)["fingerprint"]}"\n'
    (bundle / "manifest.yaml").write_text("".join(manifest))
    return values


class Deployment(kafka.Deployment):
    def __init__(self, broker, folder, release, inputs="", name="", sources=scene.SOURCES):
        super().__init__(broker, folder, inputs, name)
        self.sources = [source for source in scene.KEYED if source in sources]
        self.by_payer = f"{inputs}payments-by-payer.v1"
        self.enriched = f"{inputs}payments-enriched.v1"
        self.values += [
            *release, "capacity.payers_max=100000",
            f"kafka.topics.payments-by-payer={self.by_payer}",
            f"kafka.topics.payments-enriched={self.enriched}",
        ]  # fmt: skip
        self.values += [f"kafka.topics.{s}=" for s in scene.SOURCES if s not in sources]

    def committed_at(self, group, topic):
        """{partition: offset} that a group has committed."""
        asking = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": group,
                "isolation.level": "read_uncommitted",  # as kafka.Deployment.observer()
                "log_level": 0,
            }
        )
        try:
            numbers = asking.list_topics(topic, timeout=20).topics[topic].partitions
            places = [TopicPartition(topic, number) for number in numbers]
            return {p.partition: max(p.offset, 0) for p in asking.committed(places, timeout=20)}
        finally:
            asking.close()

    def messages(self, topic):
        return [m for partition in kafka.read_committed(self.broker, topic) for m in partition]

    def wait_handed_on(self, serve, count, seconds=240):
        """Until so many payments have come out of both hops."""
        deadline = time.monotonic() + seconds
        while len(self.messages(self.enriched)) < count:
            serve.check()
            assert time.monotonic() < deadline, f"not handed on: {serve.words()}"
            time.sleep(0.3)

    def wait_settled(self, serve, seconds=240):
        """Until the merchants' stage has committed all records there are, and the hops too."""
        topics = {self.enriched: self.group}
        topics.update({self.input_topic(s): self.group for s in self.sources if s != "payments"})
        deadline = time.monotonic() + seconds
        for topic, group in topics.items():
            # Markers take offsets behind the last record.
            ends = {}
            for message in self.messages(topic):
                ends[message.partition()] = message.offset() + 1
            while any(self.committed_at(group, topic)[p] < end for p, end in ends.items()):
                serve.check()
                assert time.monotonic() < deadline, f"{topic}: not settled: {serve.words()}"
                time.sleep(0.2)

    def first_places(self):
        """{(partition, offset) in the enriched topic: (topic, partition, offset) at first}."""
        return {
            (m.partition(), m.offset()): place_of(m) for m in self.messages(self.enriched)
        }


def headers_of(message):
    return dict(message.headers() or [])


def place_of(message):
    headers = headers_of(message)
    topic, partition, offset = (headers[name].decode() for name in HEADERS)
    return topic, int(partition), int(offset)


def with_first_places(lines, deployment):
    """Decisions about payments name the record in the enriched topic; here as a replay of one file
    has them."""
    places = deployment.first_places()
    prefix = deployment.input_prefix.encode()

    def word(match):
        topic, partition, offset = match.groups()
        source = topic.removeprefix(prefix).removesuffix(b".v1")
        place = (int(partition), int(offset))
        if source == b"payments-enriched":
            source, place = b"payments", places[place][1:]
        return b'"provenance":{"topic":"%s","partition":%d,"offset":%d' % (source, *place)

    return [outputs.PLACE.sub(word, line) for line in lines]
