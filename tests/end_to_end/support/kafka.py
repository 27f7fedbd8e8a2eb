# A real broker for a test program, topics loaded line by line, `tidemark serve` as a child, and
# what a read_committed consumer sees. Everything that is waited for has a deadline.
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from support import program, scene
from support.outputs import DECISIONS, LETTERS

DEPS = pathlib.Path(os.environ.get("TIDEMARK_DEPS", pathlib.Path.home() / ".cache/tidemark"))
VERSION = os.environ.get("TIDEMARK_KAFKA_VERSION")  # of the brokers, where it is not our own
JARS = DEPS / (f"kafka-{VERSION}" if VERSION else "kafka") / "libs"
PARTITIONS = 8


class Broker:
    def __init__(self, folder):
        self.folder = folder
        self.options = []

    def __enter__(self):
        if not JARS.is_dir() or not shutil.which("java"):
            pytest.skip("no broker on this machine: run tools/setup kafka")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder / "broker/data", ignore_errors=True)

    def start(self):
        """Once more after kill() it has the same address and topics."""
        self.bootstrap = self.tool("start", *self.options, "--with-parent", os.getpid())

    def kill(self):
        """SIGKILL, as a power cut would."""
        self.tool("kill")

    def tool(self, command, *arguments):
        words = [program.ROOT / "tools/kafka", command, self.folder / "broker", *arguments]
        done = subprocess.run(
            [str(word) for word in words], text=True, capture_output=True, timeout=180
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Deployment:
    """One way to run the engine on a broker: a prefix for the input topics, one for its outputs,
    its group and its transactional id."""

    def __init__(self, broker, folder, inputs="", name="", config=program.CONFIG):
        self.broker, self.folder, self.name, self.config = broker, folder, name, config
        self.input_prefix = inputs
        self.asking = None
        self.group = f"group-{inputs}{name}"
        self.values = [
            f"kafka.bootstrap_servers={broker.bootstrap}",
            f"kafka.group_id={self.group}",
            f"kafka.transactional_id=id-{inputs}{name}",
            f"checkpoint.directory={folder / f'checkpoints-{inputs}{name}'}",
            "kafka.connect_timeout_s=10",
            *program.SMALL,
        ]
        for source in scene.SOURCES:
            self.values.append(f"kafka.topics.{source}={self.input_topic(source)}")
        for output in (*DECISIONS, *LETTERS, "releases", "journal", "redriven"):
            self.values.append(f"kafka.topics.{output}={self.output_topic(output)}")

    def input_topic(self, source):
        return f"{self.input_prefix}{source}.v1"

    def output_topic(self, output):
        return f"{self.input_prefix}{self.name}{output}.v1"

    def settings(self, *more):
        return program.settings(*self.values, *more)

    def create_topics(self, partitions=PARTITIONS):
        return json.loads(
            program.run_well("topics", "--config", self.config, "--create", "--partitions",
                             partitions, "--json", *self.settings())
        )  # fmt: skip

    def load(self, inputs, partitions=PARTITIONS):
        """Loads files line by line, in order, so that offsets count the lines of a partition."""
        count = {}
        errors = []
        producer = Producer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 50,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )
        partitioner = scene.Partitioner(partitions)

        def delivered(error, _):
            if error:
                errors.append(str(error))

        for source, path in inputs.items():
            count[source] = 0
            with path.open("rb") as file:
                for line in file:
                    line = line.rstrip(b"\n")
                    if not line.strip():
                        continue
                    key, at = (None, 0) if source == "control" else partitioner.place(line)
                    while True:
                        try:
                            producer.produce(
                                self.input_topic(source), line, key, partition=at,
                                timestamp=program.NOW_MS, on_delivery=delivered,
                            )  # fmt: skip
                            break
                        except BufferError:
                            producer.poll(0.1)
                    count[source] += 1
                    if count[source] % 1000 == 0:
                        producer.poll(0)
        assert producer.flush(120) == 0
        assert not errors, errors[0]
        return count

    def serve(self, *more, crash_at=None, environment=(), log=None):
        return Serve(self, *more, crash_at=crash_at, environment=environment, log=log)

    def serve_through(self, *more):
        """Serves to the end of the inputs, undisturbed; gives the counts."""
        with self.serve(*more) as serve:
            serve.wait_caught_up()
            return serve.finish()

    def committed(self):
        """{(topic, partition): offset} that the group has committed."""

        def ask():
            places = [TopicPartition(*place) for place in self.places()]
            return self.observer().committed(places, timeout=20)

        return {(p.topic, p.partition): max(p.offset, 0) for p in answer_of(ask)}

    def ends(self):
        """{(topic, partition): offset} behind the last record of the keyed inputs."""
        return self.bounds(1)

    def begins(self):
        """{(topic, partition): offset} of the first record that is still there."""
        return self.bounds(0)

    def held(self):
        """How many records all inputs hold, control too; they have no transactions in them."""
        control = TopicPartition(self.input_topic("control"), 0)
        ends = answer_of(lambda: self.observer().get_watermark_offsets(control, timeout=20))
        return sum(self.ends().values()) + ends[1]

    def bounds(self, which):
        def ask():
            observer = self.observer()
            return {
                place: observer.get_watermark_offsets(TopicPartition(*place), timeout=20)[which]
                for place in self.places()
            }

        return answer_of(ask)

    def places(self):
        topics = self.observer().list_topics(timeout=20).topics
        names = [self.input_topic(source) for source in scene.KEYED]
        return [(name, number) for name in names for number in topics[name].partitions]

    def observer(self):
        """Asks as the group, without being in it. Offsets of an open transaction do not make it
        wait: what was committed before is the answer."""
        if self.asking is None:
            self.asking = Consumer(
                {
                    "bootstrap.servers": self.broker.bootstrap,
                    "group.id": self.group,
                    "isolation.level": "read_uncommitted",
                    "log_level": 0,
                }
            )
        return self.asking

    def outputs(self, *names):
        return {
            name: read_committed(self.broker, self.output_topic(name))
            for name in names or (*DECISIONS, *LETTERS, "releases")
        }


class Serve:
    """`tidemark serve` as a child; its stderr is kept, or goes to the device `log`. `crash_at`
    names a point, name:n, at whose n-th pass it dies by SIGKILL."""

    def __init__(self, deployment, *more, crash_at=None, environment=(), log=None):
        self.deployment = deployment
        self.log = log or deployment.folder / f"serve-{time.monotonic_ns()}.log"
        command = [str(program.PROGRAM), "serve", "--config", deployment.config]
        self.process = subprocess.Popen(
            command + deployment.settings(*more),
            cwd=program.ROOT,
            env={
                **os.environ,
                **dict(environment),
                **({"TIDEMARK_CRASH_AT": crash_at} if crash_at else {}),
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def words(self):
        return self.log.read_text() if self.log.is_file() else ""

    def check(self):
        status = self.process.poll()
        assert status is None, f"serve ended early, with status {status}: {self.words()}"

    def wait_ready(self, seconds=60):
        self.wait_words("] ready", seconds)

    def wait_words(self, words, seconds=60):
        deadline = time.monotonic() + seconds
        while words not in self.words():
            self.check()
            assert time.monotonic() < deadline, f"no '{words}': {self.words()}"
            time.sleep(0.05)

    def wait_caught_up(self, seconds=240):
        """Until the group has committed all that the keyed inputs hold."""
        ends = self.deployment.ends()
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            committed = self.deployment.committed()
            behind = {place: end - committed[place] for place, end in ends.items()}
            if not any(behind.values()):
                return
            assert time.monotonic() < deadline, f"behind: {behind}; {self.words()}"
            time.sleep(0.2)

    def wait_committed(self, goal, seconds=120):
        """Until the group has committed so many records of all sources."""
        deadline = time.monotonic() + seconds
        while sum(self.deployment.committed().values()) < goal:
            self.check()
            assert time.monotonic() < deadline, f"no progress: {self.words()}"
            time.sleep(0.02)

    def finish(self):
        """Asks for the end and gives the counts of the last line."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.words()
        return json.loads(output.strip().splitlines()[-1])

    def dies(self, seconds=60):
        """Waits for its death at the point that it was given."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        assert self.process.returncode == -signal.SIGKILL, self.words()
        return True

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def fails(self, seconds=60):
        """Waits for an end with status 1 and gives the last line on stderr."""
        self.process.communicate(timeout=seconds)
        assert self.process.returncode == 1, (self.process.returncode, self.words())
        return self.words().strip().splitlines()[-1]


def answer_of(ask, seconds=30):
    """What a broker that may still be on its way, or its coordinators and leaders, says."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException as error:
            assert time.monotonic() < deadline, f"no answer: {error}"
            time.sleep(0.2)


def read_committed(broker, topic, partition=None):
    """All that a read_committed consumer sees now: one list of messages a partition, or the list
    of one partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "reads",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        numbers = [partition]
        if partition is None:
            numbers = sorted(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in numbers])
        partitions = {number: [] for number in numbers}
        open_partitions = set(numbers)
        deadline = time.monotonic() + 120
        while open_partitions:
            assert time.monotonic() < deadline, f"{topic} has no end"
            for message in consumer.consume(10_000, 0.1):
                if message.error() is None:
                    partitions[message.partition()].append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
                else:
                    raise AssertionError(f"{topic}: {message.error()}")
    finally:
        consumer.close()
    return [partitions[n] for n in numbers] if partition is None else partitions[partition]


def values(partitions):
    return [message.value() for messages in partitions for message in messages]


def letters(partitions):
    """{(topic, partition, offset): (error, message, original bytes)}; each place once."""
    found = {}
    for messages in partitions:
        for message in messages:
            headers = {name: value.decode() for name, value in message.headers()}
            place = (headers["topic"], int(headers["partition"]), int(headers["offset"]))
            assert place not in found, f"two letters for {place}"
            found[place] = (headers["error"], headers["message"], message.value())
    return found
