# Three real brokers that replicate to each other, each to be killed, frozen or cut off by itself,
# and who of them leads what now. Python only; `tools/kafka` does the work.
import concurrent.futures
import contextlib
import os
import shutil
import socket
import struct
import subprocess
import time

import pytest
from confluent_kafka.admin import AdminClient
from support import kafka

NODES = (1, 2, 3)
CLIENTS = 0  # as the other side of a cut


def namespaces_work():
    """Whether this machine lets us make network namespaces with a bridge between them."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", "tidemark-try"], capture_output=True)
    subprocess.run(["ip", "netns", "del", "tidemark-try"], capture_output=True)
    return made.returncode == 0


class Cluster(kafka.Broker):
    def __init__(self, folder, namespaces=False):
        super().__init__(folder)
        if namespaces and not namespaces_work():
            pytest.skip("no network namespaces on this machine: they need root and iproute2")
        self.options = ["--brokers", str(len(NODES))] + (["--namespaces"] if namespaces else [])

    def __exit__(self, *_):
        self.kill()
        for node in NODES:
            shutil.rmtree(self.folder / f"broker/node-{node}/data", ignore_errors=True)

    def kill_node(self, node):
        self.tool("kill", "--node", node)

    def start_node(self, node):
        self.tool("start", "--node", node, "--with-parent", os.getpid())

    def start_nodes(self, nodes):
        """At once: of those without a quorum none would answer alone."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(self.start_node, nodes))

    def pause_node(self, node):
        self.tool("pause", "--node", node)

    def continue_node(self, node):
        self.tool("continue", "--node", node)

    @contextlib.contextmanager
    def cut(self, node, other):
        """Nothing comes through between two nodes, or a node and the CLIENTS."""
        self.tool("cut", "--node", node, "--from", other)
        try:
            yield
        finally:
            self.tool("heal", "--node", node, "--from", other)

    def wait_whole(self, seconds=60):
        """Until every replica of every partition is in sync."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

        def behind():
            topics = admin.list_topics(timeout=20).topics.values()
            return [
                (topic.topic, number)
                for topic in topics
                for number, partition in topic.partitions.items()
                if len(partition.isrs) < len(partition.replicas) or partition.leader < 0
            ]

        deadline = time.monotonic() + seconds
        while missing := kafka.answer_of(behind):
            assert time.monotonic() < deadline, f"replicas behind: {missing[:5]}"
            time.sleep(0.3)

    def leader(self, topic, partition):
        def ask():
            admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            return admin.list_topics(topic, timeout=20).topics[topic].partitions[partition].leader

        deadline = time.monotonic() + 30
        while (node := kafka.answer_of(ask)) < 0:
            assert time.monotonic() < deadline, f"{topic} [{partition}] has no leader"
            time.sleep(0.2)
        return node

    def group_coordinator(self, group):
        return self.leader("__consumer_offsets", place_of(group))

    def transaction_coordinator(self, transactional_id):
        return self.leader("__transaction_state", place_of(transactional_id))

    def controller(self):
        """The leader of the metadata quorum; what metadata calls the controller is any broker."""
        deadline = time.monotonic() + 30
        while True:
            for address in self.bootstrap.split(","):
                try:
                    if (node := quorum_leader(address)) > 0:
                        return node
                except OSError:
                    pass
            assert time.monotonic() < deadline, "the quorum has no leader"
            time.sleep(0.2)


def place_of(text, partitions=4):
    """The partition of an internal topic that keeps a group or a transactional id: Java's hash."""
    value = 0
    for byte in text.encode("utf-16-be")[1::2]:
        value = (31 * value + byte) & 0xFFFFFFFF
    return (value & 0x7FFFFFFF) % partitions


def quorum_leader(address):
    """DescribeQuorum of the metadata topic; no Python client has it."""
    topic = b"__cluster_metadata"
    partition = b"\x02" + struct.pack(">i", 0) + b"\0"
    answer = ask(address, 55, 0, b"\x02" + bytes([len(topic) + 1]) + topic + partition + b"\0\0")
    # The error, one topic and its name, one partition: its number, error and leader.
    error, leader = struct.unpack_from(">hi", answer, 2 + 1 + 1 + len(topic) + 1 + 4)
    return leader if error == 0 else -1


def elect_preferred_leaders(cluster):
    """Moves the leader of every partition back to its first replica (ElectLeaders)."""
    every = b"\0\0" + struct.pack(">i", 30_000) + b"\0"
    answer = ask(cluster.bootstrap.split(",")[0], 43, 2, every)
    error = struct.unpack_from(">ih", answer)[1]
    assert error == 0, f"no election: error {error}"


def ask(address, key, version, body):
    """One request with headers of the flexible kind; gives the answer behind its header."""
    request = struct.pack(">hhihb", key, version, 7, -1, 0) + body
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as wire:
        wire.settimeout(40)
        wire.sendall(struct.pack(">i", len(request)) + request)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            more = wire.recv(65536)
            if not more:
                raise OSError("closed")
            answer += more
    return answer[9:]  # behind the size, the number and no tags
