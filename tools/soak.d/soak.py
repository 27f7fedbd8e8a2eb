# The soak: events at half of the measured peak, a fault every half a minute, memory and the promise
# watched. Called by tools/soak and by the long tests; it stands on what the end-to-end tests share.
import argparse
import pathlib
import random
import shutil
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/end_to_end"))

from support import cluster, feed, kafka, program, proof, scene  # noqa: E402

PARTITIONS = 4
PEAK_EVENTS = 40_000  # the backlog that the peak is measured with
STEPS = ("checkpoint.interval_s=10", "transaction.ms_max=100",
         "kafka.client.transaction.timeout.ms=10000")  # fmt: skip
FAULT_EVERY_S = 30
RECOVERED_WITHIN_S = 120
EVENTS_PER_MERCHANT_AND_DAY = 4


class Watched:
    """The engine as a service manager would keep it: whatever ends is started again."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.serve = deployment.serve(*STEPS)
        self.rss_mb = []  # (seconds since the process began, MB)
        self.began = time.monotonic()

    def again(self):
        self.serve = self.deployment.serve(*STEPS)
        self.began = time.monotonic()

    def look(self):
        """Takes the resident memory down; an end that nobody asked for is the soak's end."""
        self.serve.check()
        try:
            status = pathlib.Path(f"/proc/{self.serve.process.pid}/status").read_text()
        except OSError:
            return 0
        rss = next((s.split()[1] for s in status.splitlines() if s.startswith("VmRSS")), "0")
        self.rss_mb.append((time.monotonic() - self.began, int(rss) // 1024))
        return self.rss_mb[-1][1]


class Soak:
    def __init__(self, brokers, deployment, dice):
        self.brokers, self.deployment, self.dice = brokers, deployment, dice
        self.engine = Watched(deployment)
        self.faults = {
            "serve killed": self.kill_serve,
            "serve stopped in order": self.stop_serve,
            "serve frozen for 9 s": self.freeze_serve,
            "a broker killed, away for 6 s": self.kill_broker,
            "a broker frozen for 8 s": self.freeze_broker,
        }

    def kill_serve(self):
        self.engine.serve.kill()
        self.engine.again()

    def stop_serve(self):
        self.engine.serve.finish()
        self.engine.again()

    def freeze_serve(self):
        self.engine.serve.process.send_signal(signal.SIGSTOP)
        time.sleep(9)
        self.engine.serve.process.send_signal(signal.SIGCONT)

    def kill_broker(self):
        node = self.dice.choice(cluster.NODES)
        self.brokers.kill_node(node)
        time.sleep(6)
        self.brokers.start_node(node)

    def freeze_broker(self):
        node = self.dice.choice(cluster.NODES)
        self.brokers.pause_node(node)
        time.sleep(8)
        self.brokers.continue_node(node)

    def committed(self):
        return sum(self.deployment.committed().values())

    def one_fault(self, name):
        """Gives how many seconds after the fault's end the group had committed more."""
        self.faults[name]()
        began = time.monotonic()
        goal = self.committed() + 1
        while self.committed() < goal:
            self.engine.look()
            late = time.monotonic() - began > RECOVERED_WITHIN_S
            assert not late, f"{name}: no progress; {self.engine.serve.words()}"
            time.sleep(0.1)
        return time.monotonic() - began


def say(text):
    print(text, flush=True)


def generated(folder, events, seed):
    """As many events as a year of some merchants brings."""
    days = 365
    merchants = max(20, events // (days * EVENTS_PER_MERCHANT_AND_DAY) + 1)
    program.run_well(
        "generate", "--merchants", merchants, "--days", days, "--seed", seed, "--events-per-day",
        EVENTS_PER_MERCHANT_AND_DAY, "--bad-share", 0.001, "--out", folder, timeout=1800,
    )  # fmt: skip
    return {source: folder / f"{source}.jsonl" for source in scene.KEYED}


def peak_of(brokers, folder):
    """Events a second of a backlog, start and recovery not counted."""
    deployment = kafka.Deployment(brokers, folder, inputs="peak-")
    deployment.create_topics(PARTITIONS)
    deployment.load(generated(folder / "peak", PEAK_EVENTS, 1), PARTITIONS)
    total = sum(deployment.ends().values())
    with deployment.serve() as serve:
        serve.wait_ready(120)
        began = time.monotonic()
        serve.wait_caught_up()
        peak = total / (time.monotonic() - began)
        serve.finish()
    return peak


def flat(rss_mb):
    """State grows with the merchants that are known; the second half needs not much more than the
    first."""
    old = [mb for age, mb in rss_mb if age > 5]
    half = len(old) // 2
    early, late = old[:half], old[half:]
    return not late or max(late) <= 1.5 * max(early) + 64


def run(options):
    out = ROOT / "out/soak"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    dice = random.Random(options.seed)
    with cluster.Cluster(out) as brokers:
        peak = peak_of(brokers, out)
        per_s = max(1, int(min(peak / 2, options.per_s_max)))
        say(f"peak of a backlog: {peak:.0f} events/s; feeding {per_s} events/s")
        inputs = generated(out / "events", int(per_s * options.minutes * 66), options.seed)
        deployment = kafka.Deployment(brokers, out, inputs="soak-")
        deployment.create_topics(PARTITIONS)
        with feed.Feed(deployment, inputs, per_s, PARTITIONS) as events:
            soak = Soak(brokers, deployment, dice)
            try:
                watch(soak, events, options.minutes)
                sent = events.stop()
                soak.engine.serve.wait_caught_up(600)
                soak.engine.serve.finish()
            finally:
                soak.engine.serve.kill()
        held = deployment.held()
        assert held >= sent, f"{sent} records were sent, the topics hold {held}"
        proof.assert_each_proved(deployment, held)
        ages = [mb for age, mb in soak.engine.rss_mb if age > 5]
        say(f"{held} records, each with its one outcome, every byte as a replay gives it")
        say(f"resident memory of serve: median {sorted(ages)[len(ages) // 2]} MB, "
            f"most {max(ages)} MB")  # fmt: skip
        assert flat(soak.engine.rss_mb), "memory grew"
    shutil.rmtree(out, ignore_errors=True)


def watch(soak, events, minutes):
    began = time.monotonic()
    soak.engine.serve.wait_ready(120)
    kinds = list(soak.faults)
    soak.dice.shuffle(kinds)
    next_fault, next_line, faults, middle = FAULT_EVERY_S, 60, 0, False
    say(f"{'s':>6}{'sent':>10}{'behind':>9}{'MB':>6}")
    while (at := time.monotonic() - began) < minutes * 60:
        rss = soak.engine.look()
        assert events.thread.is_alive(), "the events ended early"
        if at >= next_fault:
            name = kinds[faults % len(kinds)]
            took = soak.one_fault(name)
            say(f"{at:6.0f}  {name}: next commit {took:.1f} s after it")
            faults += 1
            next_fault = time.monotonic() - began + FAULT_EVERY_S * soak.dice.uniform(0.5, 1.5)
        if at >= next_line:
            next_line += 60
            behind = sum(soak.deployment.ends().values()) - soak.committed()
            say(f"{at:6.0f}{events.sent:10}{behind:9}{rss:6}")
        if not middle and at >= minutes * 30:
            middle = True
            say(f"{at:6.0f}  {proof.assert_proved(soak.deployment)}")
        time.sleep(0.5)
    say(f"{faults} faults")


def main():
    parser = argparse.ArgumentParser(prog="tools/soak")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--per-s-max", type=float, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.minutes <= 0 or options.per_s_max <= 0:
        parser.error("--minutes and --per-s-max are above 0")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        run(options)
    except AssertionError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
