# Brokers that go away while `serve` works: killed as by a power cut, away for longer than any
# time-out, and back. `serve` waits and says so, goes on by itself, and a read_committed consumer
# sees the bytes of a run that nobody disturbed. A second instance still ends the first.
import time

import pytest
from support import kafka, outputs, pages

# Short transactions, so that one is open at any moment until the inputs are read.
SMALL_STEPS = ("batch.events_max=50", "transaction.events_max=200", "transaction.ms_max=20")
# kafka.connect_timeout_s, the session of a group member (6 s) and transaction.timeout.ms (20 s).
CONNECT_TIMEOUT_S = 3
PAST_THE_SESSION_S, PAST_THE_TRANSACTION_S = 8, 24
COMPARED = ("verdicts", "limits", "alerts", "dead-letter", "late")


def wait_status(serve, port, path, status, seconds=60):
    deadline = time.monotonic() + seconds
    while (found := pages.get(port, path)[0]) != status:
        serve.check()
        assert time.monotonic() < deadline, f"{path}: {found}; {serve.words()}"
        time.sleep(0.2)


def wait_back_in_group(serve, seconds=60):
    """Every place that timed out was given up, and partitions were taken since."""
    deadline = time.monotonic() + seconds
    while True:
        serve.check()
        words = serve.words()
        lost = words.count("partitions lost")
        if words.count("SESSTMOUT") <= lost < words.count("partitions taken"):
            return
        assert time.monotonic() < deadline, f"not back in the group: {words}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory):
    """A broker of this file's own."""
    with kafka.Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(fragile, small_scene, tmp_path_factory):
    deployment = kafka.Deployment(fragile, tmp_path_factory.mktemp("whole"), "outage-", "whole-")
    deployment.create_topics()
    deployment.load(small_scene.inputs)
    with deployment.serve() as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    return deployment, counts


def test_outages_are_waited_for_and_nothing_is_lost(fragile, undisturbed, tmp_path):
    whole, whole_counts = undisturbed
    deployment = kafka.Deployment(fragile, tmp_path, "outage-", "cut-")
    deployment.create_topics()
    total = sum(deployment.ends().values())
    port = pages.free_port()
    settings = (f"http.port={port}", f"kafka.connect_timeout_s={CONNECT_TIMEOUT_S}")
    with deployment.serve(*SMALL_STEPS, *settings) as serve:
        outages = (0, PAST_THE_SESSION_S, PAST_THE_TRANSACTION_S)
        for number, away_s in enumerate(outages):
            serve.wait_committed(total * (number + 0.5) / (len(outages) + 1))
            wait_status(serve, port, "/readyz", 200)
            fragile.kill()
            if away_s > 0:
                wait_status(serve, port, "/readyz", 503)
                time.sleep(away_s)
                serve.check()
                assert pages.get(port, "/healthz")[0] == 200
                assert pages.metric(port, "tidemark_kafka_outage_seconds") > away_s / 2
            fragile.start()
        serve.wait_caught_up()
        wait_status(serve, port, "/readyz", 200)
        assert pages.metric(port, "tidemark_kafka_outage_seconds") == 0
        counts = serve.finish()
        assert "waiting for the brokers of" in serve.words()
    assert counts == whole_counts
    found, expected = deployment.outputs(*COMPARED), whole.outputs(*COMPARED)
    for name in ("verdicts", "limits", "alerts"):
        for partition, (a, b) in enumerate(zip(found[name], expected[name], strict=True)):
            outputs.assert_same([m.value() for m in a], [m.value() for m in b],
                                f"{name}, partition {partition}")  # fmt: skip
    for name in outputs.LETTERS:
        assert kafka.letters(found[name]) == kafka.letters(expected[name])


def test_an_idle_instance_lives_through_an_outage(fragile, undisturbed):
    deployment = undisturbed[0]
    port = pages.free_port()
    settings = (f"http.port={port}", f"kafka.connect_timeout_s={CONNECT_TIMEOUT_S}")
    with deployment.serve(*settings) as serve:
        serve.wait_ready()
        for away_s in (1, PAST_THE_SESSION_S):
            fragile.kill()
            wait_status(serve, port, "/readyz", 503)
            time.sleep(away_s)
            fragile.start()
            wait_status(serve, port, "/readyz", 200)
        time.sleep(PAST_THE_SESSION_S)  # what a late answer may still bring
        wait_back_in_group(serve)
        wait_status(serve, port, "/readyz", 200)
        assert serve.finish() == undisturbed[1]


def test_a_second_instance_ends_the_first(fragile, undisturbed):
    deployment = undisturbed[0]
    with deployment.serve() as first:
        first.wait_ready()
        with deployment.serve() as second:
            line = first.fails()
            assert "fenced: another instance uses" in line, line
            second.wait_ready()
            assert second.finish() == undisturbed[1]


def test_at_the_start_the_time_out_applies(fragile, undisturbed):
    deployment = undisturbed[0]
    fragile.kill()
    try:
        with deployment.serve(f"kafka.connect_timeout_s={CONNECT_TIMEOUT_S}") as serve:
            line = serve.fails()
    finally:
        fragile.start()
    assert f"answered within {CONNECT_TIMEOUT_S} s" in line and "connect_timeout_s" in line, line
