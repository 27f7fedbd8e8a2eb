# Three brokers under load: the one that leads a partition, the group's coordinator, the
# transactional id's and the controller are killed in turn and come back. Frozen, cut off and
# starved brokers: cluster_long_test.py.
import pytest
from support import cluster, work


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with cluster.Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_whoever_leads_is_killed_in_turn(three, small_scene, tmp_path):
    took = {}
    with work.under_load(three, small_scene, tmp_path, "turn-", 250) as at_work:
        deployment = at_work.deployment
        transactional_id = f"id-{deployment.input_prefix}"
        roles = {
            "a partition's leader": lambda: three.leader(deployment.output_topic("verdicts"), 0),
            "the group's coordinator": lambda: three.group_coordinator(deployment.group),
            "the transactions' coordinator": lambda: three.transaction_coordinator(
                transactional_id
            ),
            "the controller": three.controller,
        }
        for role, node_of in roles.items():
            node = node_of()
            three.kill_node(node)
            took[role] = round(at_work.goes_on(), 1)
            three.start_node(node)
            three.wait_whole()
            at_work.goes_on()
    print("seconds from the kill to the next commits:", took)
