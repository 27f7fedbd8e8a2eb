# The demo: generates a scene, runs broker and engine, feeds the events, shows what comes out and
# checks that it adds up. Called by tools/demo from the project's root. Whatever it starts ends with
# it, on every way out; what it writes lies in out/demo.
import argparse
import ctypes
import datetime
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from confluent_kafka import Consumer, TopicPartition
from feed import SOURCES, Feeder, Pace
from tally import OutputReader, Tally, accounting_errors, file_into
from view import View, grouped, status_text, summary

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = "examples/quickstart/tidemark.yaml"
OUT = pathlib.Path("out/demo")
PARTITIONS = 8
SCENE_START = datetime.date(2025, 1, 1)
EVENTS_PER_DAY = 4  # payments of a merchant, in the mean
# Windows fill at a dozen days a second, then it is slow enough to read along.
PACE = Pace(history_days=150, fast=12, slow=4)
SAMPLES = {"verdicts": 6, "limits": 6, "alerts": 6, "dead-letter": 3, "late": 1}
SHOW_EVERY_S = 0.6
CATCH_UP_S = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """Ends the demo with one line."""


def main():
    arguments = parse(sys.argv[1:])
    os.chdir(ROOT)
    OUT.mkdir(parents=True, exist_ok=True)
    lock = (OUT / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return fail("another demo is running in this folder")
    view = View()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        run = run_files if arguments.no_kafka else run_kafka
        return run(arguments, view)
    except KeyboardInterrupt:
        view.clear_status()
        return fail("stopped before the summary")
    except (DemoError, RuntimeError) as error:
        view.clear_status()
        return fail(str(error))


def parse(argv):
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=positive)
    parser.add_argument("--no-kafka", action="store_true")
    parser.add_argument("--merchants", type=positive, default=240)
    parser.add_argument("--days", type=positive, default=540)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(argv)


def positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, got '{text}'")
    return int(text)


def interrupt(number, frame):
    raise KeyboardInterrupt


def fail(sentence):
    print(f"tools/demo: {sentence}", file=sys.stderr)
    return 1


def die_with_parent():
    """In a child: ends it when the demo is killed without a chance to clean up."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    os.setpgrp()  # Ctrl-C is for the demo, which ends its children in order


def run_step(command, what):
    done = subprocess.run(command, text=True, capture_output=True, preexec_fn=die_with_parent)
    if done.returncode != 0:
        line = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise DemoError(f"{what} failed with status {done.returncode}: {line}")
    return done.stdout


def generate(arguments, view):
    scene = OUT / "scene"
    shutil.rmtree(scene, ignore_errors=True)
    # All of it lies in the past, or the engine would rightly refuse it as events of the future.
    today = datetime.datetime.now(datetime.timezone.utc).date()
    start = min(SCENE_START, today - datetime.timedelta(days=arguments.days + 1))
    run_step(
        [arguments.program, "generate", "--merchants", str(arguments.merchants), "--days",
         str(arguments.days), "--seed", str(arguments.seed), "--start", str(start),
         "--events-per-day", str(EVENTS_PER_DAY), "--out", str(scene)],
        "generating the events",
    )  # fmt: skip
    events = sum(count_lines(path) for path in scene.glob("*.jsonl"))
    view.step(
        f"{grouped(arguments.merchants)} merchants, {grouped(arguments.days)} days, "
        f"{grouped(events)} events generated (seed {arguments.seed})"
    )
    return scene


def count_lines(path):
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


# --- through files -------------------------------------------------------------------------------


def run_files(arguments, view):
    view.line(view.paint("Tidemark demo, from files", "1"))
    scene = generate(arguments, view)
    inputs = {source: scene / f"{source}.jsonl" for source in SOURCES}
    fed = {source: count_lines(path) for source, path in inputs.items() if path.exists()}
    results = OUT / "replay"
    shutil.rmtree(results, ignore_errors=True)
    command = [arguments.program, "replay", "--config", CONFIG, "--out", str(results), "--json"]
    for source in fed:
        command += ["--input", f"{source}={inputs[source]}"]
    begin = time.monotonic()
    engine = json.loads(run_step(command, "the replay"))
    seconds = time.monotonic() - begin
    view.step(f"replayed in {seconds:.1f} s, {grouped(engine['events_per_s'])} events/s")
    view.heading()
    tally = Tally()
    for kind, samples in SAMPLES.items():
        show_samples(view, tally, results, kind, samples)
    wrong = accounting_errors(fed, engine, tally)
    summary(view, fed, engine, tally, seconds, wrong)
    return 1 if wrong else 0


def show_samples(view, tally, results, kind, samples):
    """Reads all of one kind and shows some of it, spread over the whole run."""
    count = count_lines(results / f"{kind}.jsonl")
    for number, _ in enumerate(file_into(tally, results, kind)):
        if number % max(1, count // samples) == count // samples // 2:
            record = tally.candidates[kind].newest() if kind in tally.candidates else None
            if record:
                view.show(kind, record)


# --- through Kafka -------------------------------------------------------------------------------


class Broker:
    """A broker of the demo's own. A former one, left by a power cut, is ended first."""

    def __init__(self):
        self.folder = OUT / "kafka"
        self.stop("kill")
        shutil.rmtree(self.folder, ignore_errors=True)
        command = ["tools/kafka", "start", str(self.folder), "--with-parent", str(os.getpid())]
        self.bootstrap = run_step(command, "starting Kafka").strip()

    def stop(self, how="stop"):
        subprocess.run(["tools/kafka", how, str(self.folder)], capture_output=True)


class Engine:
    """`tidemark serve` as a child. Its log goes to a file, its last word is one JSON line."""

    def __init__(self, program, settings):
        self.log = OUT / "serve.log"
        self.process = subprocess.Popen(
            [program, "serve", "--config", CONFIG, *settings],
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            preexec_fn=die_with_parent,
        )

    def check(self):
        if self.process.poll() is not None:
            raise DemoError(f"tidemark serve ended early: {self.last_word()}")

    def wait_ready(self):
        deadline = time.monotonic() + 60
        while "] ready" not in self.log.read_text():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"tidemark serve is not ready after 60 s: see {self.log}")
            time.sleep(0.05)

    def last_word(self):
        lines = self.log.read_text().strip().splitlines()
        return lines[-1] if lines else f"status {self.process.returncode}"

    def finish(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            output, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            raise DemoError("tidemark serve did not end within 60 s of SIGTERM") from None
        if self.process.returncode != 0:
            raise DemoError(f"tidemark serve: {self.last_word()}")
        return json.loads(output.strip().splitlines()[-1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_kafka(arguments, view):
    view.line(view.paint("Tidemark demo", "1"))
    scene = generate(arguments, view)
    broker = engine = feeder = None
    try:
        broker = Broker()
        port = free_port()
        settings = []
        for setting in (
            f"kafka.bootstrap_servers={broker.bootstrap}",
            f"checkpoint.directory={OUT / 'checkpoints'}",
            f"http.port={port}",
        ):
            settings += ["--set", setting]
        run_step(
            [arguments.program, "topics", "--config", CONFIG, "--create", "--partitions",
             str(PARTITIONS), *settings],
            "creating the topics",
        )  # fmt: skip
        view.step(f"Apache Kafka on {broker.bootstrap}, topics of {PARTITIONS} partitions")
        engine = Engine(arguments.program, settings)
        engine.wait_ready()
        view.step(f"tidemark serve, metrics on http://127.0.0.1:{port}/metrics, logs in {OUT}")
        feeder = Feeder(broker.bootstrap, scene, PACE, arguments.seconds)
        return stream(broker, engine, feeder, view)
    finally:
        # A second Ctrl-C must not leave the children behind.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if feeder:
            feeder.stop()
        if engine:
            engine.kill()
        if broker:
            broker.stop("kill")
            shutil.rmtree(broker.folder / "data", ignore_errors=True)


def end_stream_on_signal(feeder):
    """The first signal ends the stream, and the summary follows: raising it here instead could
    lose outputs between being read and being counted. Another signal ends the demo at once."""

    def handle(number, frame):
        if feeder.stopping.is_set():
            raise KeyboardInterrupt
        feeder.stop()

    for number in SIGNALS:
        signal.signal(number, handle)


def stream(broker, engine, feeder, view):
    reader = OutputReader(broker.bootstrap)
    tally = Tally()
    begin = time.monotonic()
    view.heading()
    end_stream_on_signal(feeder)
    feeder.start()
    while feeder.is_alive():
        watch(reader, engine, feeder, tally, view, begin)
    if feeder.error:
        raise DemoError(f"feeding the events: {feeder.error}")
    wait_for_commits(broker, engine, feeder, reader, tally, view)
    counts = engine.finish()
    deadline = time.monotonic() + CATCH_UP_S

    def not_late():
        if time.monotonic() > deadline:
            raise DemoError(f"the outputs were not read back within {CATCH_UP_S} s")

    reader.drain(tally, not_late)
    reader.close()
    wrong = accounting_errors(feeder.delivered, counts, tally)
    summary(view, feeder.delivered, counts, tally, time.monotonic() - begin, wrong)
    return 1 if wrong else 0


SHOWN = {"at": 0.0}


def watch(reader, engine, feeder, tally, view, begin):
    engine.check()
    reader.read(tally, 0.1)
    now = time.monotonic()
    if now - SHOWN["at"] >= SHOW_EVERY_S and view.show_next(tally.candidates):
        SHOWN["at"] = now
    fed = sum(feeder.delivered.values())
    scored = feeder.delivered["payments"] + feeder.delivered["invoices"]
    behind = max(0, scored - tally.counts["verdicts"] - tally.counts["dead-letter"])
    at = datetime.datetime.fromtimestamp(feeder.at or 0, datetime.timezone.utc)
    rate = int(fed / max(now - begin, 0.001))
    view.show_status(status_text(f"{at:%Y-%m-%d}", fed, rate, tally, behind))


def wait_for_commits(broker, engine, feeder, reader, tally, view):
    """Until the engine has committed everything that was delivered to the keyed topics."""
    view.show_status(" the stream has ended; waiting until all of it is committed ")
    # Offsets of an open transaction do not make it wait: those committed before are the answer.
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "tidemark",
            "isolation.level": "read_uncommitted",
            "log_level": 0,
        }
    )
    places = [
        TopicPartition(f"{source}.v1", number)
        for source in SOURCES
        if source != "control"
        for number in range(PARTITIONS)
    ]
    ends = {
        (p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=10)[1] for p in places
    }
    deadline = time.monotonic() + CATCH_UP_S
    while True:
        engine.check()
        reader.read(tally, 0.1)
        committed = consumer.committed(places, timeout=10)
        left = sum(max(0, ends[p.topic, p.partition] - max(p.offset, 0)) for p in committed)
        if left == 0:
            break
        if time.monotonic() > deadline:
            raise DemoError(f"{left} events are not committed {CATCH_UP_S} s after the last one")
    consumer.close()


if __name__ == "__main__":
    sys.exit(main())
