# Three brokers under load and what may befall them: frozen beyond every time-out, most of them
# gone, too few replicas, leaders that move, cables that are cut.
import time

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from support import cluster, work

# Beyond the session of a broker (4 s), of a member (6 s) and a transaction's time (20 s).
LONG_S = 26


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with cluster.Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def cables(tmp_path_factory):
    with cluster.Cluster(tmp_path_factory.mktemp("cables"), namespaces=True) as running:
        yield running


def coordinator_of(at_work, brokers):
    return brokers.transaction_coordinator(f"id-{at_work.deployment.input_prefix}")


@pytest.mark.parametrize("number", cluster.NODES)
def test_a_broker_freezes_for_longer_than_any_time_out(three, small_scene, tmp_path, number):
    with work.under_load(three, small_scene, tmp_path, f"frozen-{number}-", 150) as at_work:
        three.pause_node(number)
        try:
            began = time.monotonic()
            took = at_work.goes_on()
            time.sleep(max(0, LONG_S - (time.monotonic() - began)))
        finally:
            three.continue_node(number)
        at_work.goes_on()
        three.wait_whole()
        at_work.goes_on()
    print(f"seconds without commits while broker {number} is frozen: {took:.1f}")


def test_two_of_three_are_killed_and_come_back(three, small_scene, tmp_path):
    with work.under_load(three, small_scene, tmp_path, "most-", 150) as at_work:
        keeps = coordinator_of(at_work, three)
        others = [node for node in cluster.NODES if node != keeps]
        for node in others:
            three.kill_node(node)
        time.sleep(LONG_S)
        at_work.serve.check()
        three.start_nodes(others)
        at_work.goes_on()
        three.wait_whole()
        at_work.goes_on()


def test_leaders_move(three, small_scene, tmp_path):
    with work.under_load(three, small_scene, tmp_path, "moved-", 200) as at_work:
        topic = at_work.deployment.output_topic("verdicts")
        cluster.elect_preferred_leaders(three)
        for partition in range(3):
            node = three.leader(topic, partition)
            three.kill_node(node)
            three.start_node(node)
            three.wait_whole()
            assert three.leader(topic, partition) != node
            cluster.elect_preferred_leaders(three)
            deadline = time.monotonic() + 30
            while three.leader(topic, partition) != node:
                assert time.monotonic() < deadline, f"node {node} does not lead again"
                time.sleep(0.2)
            at_work.goes_on()


def test_too_few_replicas_and_enough_again(three, small_scene, tmp_path):
    """With all three demanded, one that is away makes every write of an output fail."""
    with work.under_load(three, small_scene, tmp_path, "isr-", 150) as at_work:
        admin = AdminClient({"bootstrap.servers": three.bootstrap, "log_level": 0})
        demand = ConfigEntry(
            "min.insync.replicas", "3", incremental_operation=AlterConfigOpType.SET
        )
        for output in ("verdicts", "limits", "journal"):
            name = at_work.deployment.output_topic(output)
            resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[demand])
            for done in admin.incremental_alter_configs([resource]).values():
                done.result()
        at_work.goes_on()
        three.kill_node(3)
        time.sleep(8)  # the controller has taken it out of the replicas in sync
        before = sum(at_work.deployment.committed().values())
        time.sleep(LONG_S)
        at_work.serve.check()
        assert sum(at_work.deployment.committed().values()) == before
        three.start_node(3)
        at_work.goes_on()


def test_two_of_three_do_not_hear_each_other(cables, small_scene, tmp_path):
    """One that does not hear the controller still answers, with what it knew: an instance that is
    told old offsets by it ends, because its journal knows better, and is started again."""
    with work.under_load(cables, small_scene, tmp_path, "cut-", 150) as at_work:
        at_work.ends_with = "a group must keep its journal"
        for node in cluster.NODES:
            other = node % 3 + 1
            with cables.cut(node, other):
                time.sleep(20)
            cables.wait_whole(120)
            at_work.goes_on()
    print("started again:", at_work.restarts)


def test_a_broker_that_clients_do_not_reach(cables, small_scene, tmp_path):
    """It still leads for the others, so nobody takes over: the engine waits and goes on."""
    with work.under_load(cables, small_scene, tmp_path, "deaf-", 150) as at_work:
        for node in (coordinator_of(at_work, cables), 1):
            with cables.cut(node, cluster.CLIENTS):
                time.sleep(LONG_S)
                at_work.serve.check()
            at_work.goes_on(150)
