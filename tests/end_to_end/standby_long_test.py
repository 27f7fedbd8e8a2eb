# What a standby is worth where there is much state and much journal behind the last checkpoint: the
# time from the death of an owner to the next verdict that can be read, with one and without.
import signal

from support import downstream, feed, kafka, proof, scene

PARTITIONS = 4
MANUAL = ("kafka.assignment=manual", "transaction.ms_max=100", "checkpoint.interval_s=3600",
          "capacity.merchants_max=200000", "capacity.dedup_events_max=2000000",
          "time.sweep_interval_h=0", "kafka.connect_timeout_s=60")  # fmt: skip
STANDBY = "standby.memory_mb_max=4000"


def parts_of(big, folder):
    """Of each file a part for the checkpoint, one behind it, and a last one that comes live."""
    parts = []
    for number, (begin, end) in enumerate([(0, 0.45), (0.45, 0.9), (0.9, 1)]):
        (folder / str(number)).mkdir()
        part = {}
        for source, path in big.inputs.items():
            lines = path.read_bytes().splitlines(keepends=True)
            part[source] = folder / str(number) / path.name
            part[source].write_bytes(
                b"".join(lines[int(len(lines) * begin) : int(len(lines) * end)])
            )
        parts.append(part)
    return parts


def seconds_of_a_takeover(broker, parts, folder, name, warm):
    folder.mkdir()
    deployment = kafka.Deployment(broker, folder, inputs=name)
    deployment.create_topics(PARTITIONS)
    deployment.load(parts[0], PARTITIONS)
    deployment.serve_through(*MANUAL)
    deployment.load(parts[1], PARTITIONS)
    with deployment.serve(*MANUAL) as owner:
        owner.wait_caught_up()
        standby = deployment.serve(*MANUAL, STANDBY) if warm else None
        if warm:
            for partition in range(PARTITIONS):
                standby.wait_words(f"partition {partition}: followed by the standby")
        started = [standby]

        def take_over():
            if warm:
                standby.process.send_signal(signal.SIGUSR1)
            else:
                started[0] = deployment.serve(*MANUAL)

        with feed.Feed(deployment, parts[2], 400, PARTITIONS) as events:
            seen = downstream.Downstream(deployment, range(PARTITIONS))
            took = seen.seconds_without(owner, take_over)
            events.stop()
        with started[0] as heir:
            heir.wait_caught_up()
            heir.finish()
    proof.assert_proved(deployment)
    return took


def test_a_standby_is_seen_within_seconds(broker, tmp_path):
    big = scene.make(tmp_path / "scene", merchants=20_000, days=3, events_per_day=1)
    parts = parts_of(big, tmp_path)
    cold = seconds_of_a_takeover(broker, parts, tmp_path / "cold", "cold-", warm=False)
    warm = seconds_of_a_takeover(broker, parts, tmp_path / "warm", "warm-", warm=True)
    print(f"verdicts again after {warm:.2f} s with a standby, {cold:.2f} s without")
    assert warm < 3 and warm < cold / 3, (warm, cold)
