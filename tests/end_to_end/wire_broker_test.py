# A wire that loses or delays the one answer that matters, and one that is slow, narrow and
# unsteady. Everything else stands: broker and engine live, and go on at once.
import contextlib

import pytest
from support import kafka, pages, wire, work

FAULTS_WANTED = 5


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A broker behind a wire; whoever asks it by `bootstrap` goes past the wire."""
    behind, port = pages.free_port(), pages.free_port()
    broker = kafka.Broker(tmp_path_factory.mktemp("broker"))
    broker.options = ["--clients", f"{behind}:{port}"]
    with broker, contextlib.closing(wire.Wire(port, behind)) as between:
        broker.wire = between
        broker.through = f"kafka.bootstrap_servers=127.0.0.1:{port}"
        yield broker


def every(nth, key, what):
    """A rule for every n-th request of a kind."""
    seen = iter(range(1, 1_000_000))
    return lambda asked: what if asked == key and next(seen) % nth == 0 else None


def faults_of(proxied, at_work, rule):
    before = proxied.wire.struck
    with proxied.wire.ruled(rule):
        while proxied.wire.struck < before + FAULTS_WANTED:
            at_work.goes_on()
    at_work.goes_on()


def test_the_answer_to_a_commit_is_lost(proxied, small_scene, tmp_path):
    """Committed or not, the engine cannot know; asking again with the same producer tells."""
    with work.under_load(
        proxied, small_scene, tmp_path, "lost-", 300, proxied.through
    ) as at_work:
        faults_of(proxied, at_work, every(4, wire.END_TXN, "lose the answer"))


def test_a_commit_arrives_in_the_middle_of_the_next_transaction(proxied, small_scene, tmp_path):
    """KIP-890: from a producer that went on with the same epoch it would end what is half done."""
    with work.under_load(
        proxied, small_scene, tmp_path, "late-", 300, proxied.through, "transaction.ms_max=600"
    ) as at_work:
        for seconds in (0.4, 1.0):
            faults_of(proxied, at_work, every(3, wire.END_TXN, seconds))


def test_a_slow_narrow_and_unsteady_wire(proxied, small_scene, tmp_path):
    with work.under_load(
        proxied, small_scene, tmp_path, "slow-", 100, proxied.through
    ) as at_work:
        proxied.wire.delay_s, proxied.wire.bytes_per_s = 0.1, 500_000  # 200 ms there and back
        proxied.wire.reset_share = 0.01
        before = proxied.wire.struck
        try:
            while proxied.wire.struck < before + FAULTS_WANTED:
                at_work.goes_on()
        finally:
            proxied.wire.delay_s, proxied.wire.bytes_per_s = 0.0, None
            proxied.wire.reset_share = 0.0
        at_work.goes_on()
