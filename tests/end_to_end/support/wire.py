# The wire between clients and one broker, with faults: a proxy that knows where Kafka's requests
# and answers begin, so that one kind of them can be lost or come late, and that can be slow, narrow
# or unsteady for all. The broker tells clients the proxy's address, so nothing goes past it.
import contextlib
import queue
import random
import socket
import struct
import threading
import time

END_TXN = 26  # the key of the request that commits or aborts a transaction


class Wire:
    """Listens on `port` and connects to the broker's `behind`, both of 127.0.0.1. A rule is
    called with the key of each request before it goes on; what it returns decides: None lets it
    pass, "lose the answer" hands it on and cuts the connection in place of its answer, and a
    number cuts the connection now and hands it to the broker so many seconds later."""

    def __init__(self, port, behind, seed=1):
        self.behind = behind
        self.rule = lambda key: None
        self.delay_s = 0.0
        self.bytes_per_s = None  # of each connection and direction
        self.reset_share = 0.0  # of the frames
        self.struck = 0  # requests that the rule did something to, and resets
        self.dice = random.Random(seed)
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.server.close()

    @contextlib.contextmanager
    def ruled(self, rule):
        self.rule = rule
        try:
            yield self
        finally:
            self.rule = lambda key: None

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.server.accept()
                try:
                    broker = socket.create_connection(("127.0.0.1", self.behind), timeout=5)
                except OSError:
                    client.close()
                    continue
                broker.settimeout(None)
                Connection(self, client, broker)


class Connection:
    """Two directions, each a thread that reads frames and one that writes them in their time."""

    def __init__(self, wire, client, broker):
        self.wire, self.client, self.broker = wire, client, broker
        self.lost = set()  # correlation ids whose answers must not arrive
        self.pump(client, broker, self.on_request)
        self.pump(broker, client, self.on_answer)

    def pump(self, source, target, handle):
        due = queue.Queue()

        def read():
            free_at = 0.0  # when the wire has carried what was sent before
            with contextlib.suppress(OSError):
                while (frame := read_frame(source)) is not None and handle(frame):
                    now = time.monotonic()
                    if self.wire.bytes_per_s:
                        free_at = max(now, free_at) + len(frame) / self.wire.bytes_per_s
                    due.put((max(now, free_at) + self.wire.delay_s, frame))
            due.put((0.0, None))

        def write():
            with contextlib.suppress(OSError):
                while (item := due.get())[1] is not None:
                    time.sleep(max(0.0, item[0] - time.monotonic()))
                    target.sendall(item[1])
            self.cut()

        for work in (read, write):
            threading.Thread(target=work, daemon=True).start()

    def cut(self):
        for end in (self.client, self.broker):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def is_reset(self):
        if self.wire.dice.random() >= self.wire.reset_share:
            return False
        self.wire.struck += 1
        self.cut()
        return True

    def on_request(self, frame):
        key, _, correlation = struct.unpack_from(">hhi", frame, 4)
        verdict = self.wire.rule(key)
        if verdict is None:
            return not self.is_reset()
        self.wire.struck += 1
        if verdict == "lose the answer":
            self.lost.add(correlation)
            return True
        threading.Thread(target=self.hand_on_later, args=(frame, verdict), daemon=True).start()
        return False

    def hand_on_later(self, frame, seconds):
        """The client loses its connection; the request, on its way, arrives all the same."""
        with socket.create_connection(("127.0.0.1", self.wire.behind), timeout=5) as late:
            time.sleep(seconds)
            late.sendall(frame)
            late.settimeout(5)
            with contextlib.suppress(OSError):
                read_frame(late)

    def on_answer(self, frame):
        if struct.unpack_from(">i", frame, 4)[0] in self.lost:
            self.cut()
            return False
        return not self.is_reset()


def read_frame(source):
    """Length and what it counts; None at the end of the stream."""
    head = read_exactly(source, 4)
    if head is None:
        return None
    body = read_exactly(source, struct.unpack(">i", head)[0])
    return None if body is None else head + body


def read_exactly(source, count):
    parts = []
    while count > 0:
        part = source.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
