# Features of payers through a real broker: payments go by way of a topic that is keyed by payer,
# and what comes out in the end is, to the byte, what a replay of the same file gives; killed in the
# middle of it too. One partition each, so that the order is the file's.
import json
import random
import re
import struct
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from support import kafka, outputs, pages, payers, program, proof

SMALL_STEPS = (
    "batch.events_max=100", "transaction.events_max=400", "transaction.ms_max=20",
    "checkpoint.interval_s=1",
)  # fmt: skip
DECISIONS = ("verdicts", "limits", "alerts")
SEED = 11


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return payers.make_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def payments_alone(small_scene, release, tmp_path_factory):
    """A replay of the payments' file."""
    folder = tmp_path_factory.mktemp("payments")
    inputs = {"payments": small_scene.inputs["payments"]}
    return inputs, folder, program.replay(inputs, folder, *release)


def lines_in(path):
    return [line for line in path.read_bytes().splitlines() if line.strip()]


def restored_at(serve):
    """The offset of the checkpoint from which the payers of partition 0 went on."""
    return int(re.search(r"payers of partition 0: \d+ restored at offset (\d+)", serve.words())[1])


def assert_as_replayed(deployment, folder):
    for name in DECISIONS:
        found = kafka.values(deployment.outputs(name)[name])
        found = payers.with_first_places(found, deployment)
        outputs.assert_same(found, outputs.lines_of(folder, name), name)
        assert found, name


def test_both_hops_change_nothing_but_keys_and_headers(broker, small_scene, release, tmp_path):
    """All sources, one stage after the other, so that their merge is the file's."""
    deployment = payers.Deployment(broker, tmp_path, release, inputs="hops-")
    made = {topic["role"]: topic for topic in deployment.create_topics(1)["topics"]}
    assert made["payments-by-payer"]["created"] and made["payments-enriched"]["created"]
    loaded = deployment.load(small_scene.inputs, 1)
    with deployment.serve("stages=[rekey, payers]") as hops:
        hops.wait_ready()
        deployment.wait_handed_on(hops, loaded["payments"])
        assert hops.finish()["consumed"] == 0
    originals = deployment.messages(deployment.input_topic("payments"))
    handed_on = deployment.messages(deployment.enriched)
    assert len(handed_on) == len(originals) == loaded["payments"]
    for was, now in zip(originals, handed_on, strict=True):
        assert now.value() == was.value() and now.key() == was.key()
        assert now.timestamp() == was.timestamp()
        assert payers.place_of(now) == (was.topic(), was.partition(), was.offset())
    with deployment.serve("stages=[merchants]") as merchants:
        merchants.wait_ready()
        deployment.wait_settled(merchants)
        counts = merchants.finish()
    assert counts["consumed"] == sum(loaded.values())
    outputs.assert_identity(counts)
    program.replay(small_scene.inputs, tmp_path / "replay", *release)
    assert_as_replayed(deployment, tmp_path / "replay")
    proof.assert_proved(deployment, "--bytes")


def test_keys_in_the_middle_are_payers(broker, small_scene, release):
    """Of the run above."""
    by_payer = [
        message
        for messages in kafka.read_committed(broker, "hops-payments-by-payer.v1")
        for message in messages
    ]
    keyed = [m for m in by_payer if m.key() != payers.headers_of(m)["tidemark-key"]]
    assert len(keyed) > 1000
    for message in keyed:
        assert json.loads(message.value())["payer_id"] == message.key().decode()


def test_one_process_runs_all_stages(broker, payments_alone, release, tmp_path):
    inputs, folder, summary = payments_alone
    deployment = payers.Deployment(broker, tmp_path, release, inputs="all-", sources=["payments"])
    deployment.create_topics(1)
    loaded = deployment.load(inputs, 1)
    port = pages.free_port()
    with deployment.serve(f"http.port={port}") as serve:
        serve.wait_ready()
        assert pages.get(port, "/readyz")[0] == 200
        deployment.wait_handed_on(serve, loaded["payments"])
        deployment.wait_settled(serve)
        time.sleep(1)  # metrics are brought up to date twice a second
        for stage in ("rekey", "payers"):
            labels = f'{{stage="{stage}"}}'
            assert pages.metric(port, "tidemark_stage_records_total" + labels) == loaded["payments"]
            labels = f'{{partition="0",stage="{stage}"}}'
            assert pages.metric(port, "tidemark_stage_lag_records" + labels) <= 1
        counts = serve.finish()
    assert counts["scored"] == summary["scored"]
    assert_as_replayed(deployment, folder)


def test_killed_in_the_middle_it_loses_nothing_and_repeats_nothing(
    broker, payments_alone, release, tmp_path
):
    inputs, folder, _ = payments_alone
    deployment = payers.Deployment(broker, tmp_path, release, inputs="kill-", sources=["payments"])
    deployment.create_topics(1)
    loaded = deployment.load(inputs, 1)
    dice = random.Random(SEED)
    deaths = []
    for point in ("passed-on", "offsets-sent", "committed", None, None):
        crash_at = f"{point}:{dice.randrange(8, 20)}" if point else None
        with deployment.serve(*SMALL_STEPS, crash_at=crash_at) as serve:
            if crash_at:
                assert serve.dies(), f"{crash_at} was not reached"
            else:
                serve.wait_ready()
                time.sleep(dice.uniform(0.2, 0.8))
                serve.check()
                serve.kill()
        deaths.append(deployment.committed_at(f"{deployment.group}-rekey",
                                              deployment.input_topic("payments"))[0])  # fmt: skip
    assert deaths == sorted(deaths) and deaths[0] < loaded["payments"], deaths
    with deployment.serve(*SMALL_STEPS) as serve:
        deployment.wait_handed_on(serve, loaded["payments"])
        deployment.wait_settled(serve)
        counts = serve.finish()
    assert counts["consumed"] == loaded["payments"]
    places = list(deployment.first_places().values())
    assert len(set(places)) == len(places) == loaded["payments"]
    assert_as_replayed(deployment, folder)
    proof.assert_proved(deployment, "--bytes")


def test_partitions_of_payers_are_their_own_affair(broker, payments_alone, release, tmp_path):
    """Payers meet in as many partitions as they like; merchants are where they were."""
    inputs, _, summary = payments_alone
    deployment = payers.Deployment(broker, tmp_path, release, inputs="many-", sources=["payments"])
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(deployment.by_payer, 3, 1)])[deployment.by_payer].result(20)
    deployment.create_topics(2)
    loaded = deployment.load(inputs, 2)
    with deployment.serve() as serve:
        deployment.wait_handed_on(serve, loaded["payments"])
        deployment.wait_settled(serve)
        counts = serve.finish()
    assert counts["consumed"] == loaded["payments"]
    assert counts["dead_lettered"] == summary["dead_lettered"]
    for message in deployment.messages(deployment.enriched):
        assert payers.place_of(message)[1] == message.partition()
    proof.assert_proved(deployment, "--bytes")
    for stage in ("payers", "merchants"):
        told = program.run_well("checkpoint", "verify", "--stage", stage, "--config",
                                program.CONFIG, *deployment.settings())  # fmt: skip
        assert len(re.findall(r": good$", told, re.MULTILINE)) == (3 if stage == "payers" else 2)
    with deployment.serve() as serve:  # from the last checkpoints
        serve.wait_ready()
        again = serve.finish()
        assert restored_at(serve) > 0, serve.words()
        assert "passed over" not in serve.words()
    assert again == counts


def test_a_header_of_another_spec_is_no_feature(broker, payments_alone, release, tmp_path):
    """Upstream keys by payer itself; what an older release wrote is counted and not read."""
    inputs, _, _ = payments_alone
    deployment = payers.Deployment(broker, tmp_path, release, inputs="old-", sources=["payments"])
    deployment.values.append("time.zone=Asia/Tokyo")
    deployment.create_topics(1)
    loaded = deployment.load(inputs, 1)
    with deployment.serve("stages=[rekey, payers]") as hops:
        deployment.wait_handed_on(hops, loaded["payments"])
        hops.finish()
    written = [payers.headers_of(m) for m in deployment.messages(deployment.enriched)]
    sizes = {len(h["tidemark-payer"]) for h in written if "tidemark-payer" in h}
    columns = len(payers.OF_PAYERS) + 2  # and two ratios that are made of them
    assert sizes == {8 + struct.calcsize(f"{columns}f")}, sizes
    port = pages.free_port()
    with deployment.serve("stages=[merchants]", "time.zone=UTC", f"http.port={port}") as serve:
        serve.wait_ready()
        deployment.wait_settled(serve)
        time.sleep(0.5)
        name = 'tidemark_payer_features_total{partition="0",result="%s"}'
        assert pages.metric(port, name % "foreign") > 1000
        assert pages.metric(port, name % "read") == 0
        serve.finish()
