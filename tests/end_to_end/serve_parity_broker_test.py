# Promises P1 and P3 through a real broker: what `serve` publishes is what a replay of the same
# lines writes. A topic has several partitions and a file one order, so the files are split as the
# partitioner splits them, and every partition is compared with a replay of its own.
import json

import pytest
from support import kafka, outputs, program, scene


@pytest.fixture(scope="module")
def inputs(small_scene, tmp_path_factory):
    """Without the refused control events: of those a file's only lane has its own copy."""
    folder = tmp_path_factory.mktemp("control")
    lines = [
        line
        for line in small_scene.lines("control")
        if b"activate" not in line and b"c-bad" not in line
    ]
    (folder / "control.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return {**small_scene.inputs, "control": folder / "control.jsonl"}


@pytest.fixture(scope="module")
def served(broker, inputs, tmp_path_factory):
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("serve"), inputs="parity-")
    deployment.create_topics()
    loaded = deployment.load(inputs)
    with deployment.serve() as serve:
        serve.wait_ready()
        serve.wait_caught_up()
        counts = serve.finish()
    return deployment, loaded, counts, deployment.outputs()


@pytest.fixture(scope="module")
def replayed(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replays")
    parts = scene.split(inputs, kafka.PARTITIONS, folder / "inputs")
    return [
        (folder / str(partition), program.replay(part, folder / str(partition)))
        for partition, part in enumerate(parts)
    ]


def live_names(lines, partition):
    return [
        line.replace(b'"topic":"', b'"topic":"parity-')
        for line in outputs.live_names(lines, partition)
    ]


def test_every_decision_is_the_byte_that_a_replay_writes(served, replayed):
    _, _, _, published = served
    total = 0
    for name in ("verdicts", "limits", "alerts"):
        for partition, (folder, _) in enumerate(replayed):
            found = [message.value() for message in published[name][partition]]
            expected = live_names(outputs.lines_of(folder, name), partition)
            outputs.assert_same(found, expected, f"{name}, partition {partition}")
            total += len(found)
    assert total > 30_000
    assert any(published["alerts"])


def test_keys_are_merchants(served):
    _, _, _, published = served
    for name in ("verdicts", "limits", "alerts"):
        for messages in published[name]:
            for message in messages:
                assert message.key().decode() == json.loads(message.value())["merchant_id"]


def test_letters_hold_the_original_bytes_and_coordinates(served, replayed):
    _, _, _, published = served
    for name in outputs.LETTERS:
        expected = {}
        for partition, (folder, _) in enumerate(replayed):
            for place, letter in outputs.letters_of(folder, name, partition).items():
                expected["parity-" + place[0], *place[1:]] = letter
        assert kafka.letters(published[name]) == expected
        assert expected


def test_every_record_is_accounted_for(served, replayed):
    _, loaded, counts, published = served
    outputs.assert_identity(counts)
    for source, count in loaded.items():
        assert counts["sources"][source]["consumed"] == count, source
    assert counts["consumed"] == sum(loaded.values())
    for source in scene.KEYED:
        for outcome in ("consumed", *outputs.OUTCOMES):
            expected = sum(summary["sources"][source][outcome] for _, summary in replayed)
            assert counts["sources"][source][outcome] == expected, (source, outcome)
    assert counts["scored"] == len(kafka.values(published["verdicts"]))
    assert counts["dead_lettered"] == len(kafka.values(published["dead-letter"]))
    assert counts["late"] == len(kafka.values(published["late"]))


def test_versions_of_a_merchant_have_no_gap(served):
    _, _, _, published = served
    limits = kafka.values(published["limits"])
    assert limits
    outputs.assert_versions_without_gap(limits)


def test_the_release_is_published_before_the_first_decision(served):
    _, _, _, published = served
    releases = [message for messages in published["releases"] for message in messages]
    names = {message.key().decode() for message in releases}
    first = min(message.timestamp()[1] for message in releases)
    used = {
        json.loads(value)["provenance"]["release"]
        for name in ("verdicts", "limits", "alerts")
        for value in kafka.values(published[name])
    }
    assert used <= names
    times = [m.timestamp()[1] for messages in published["verdicts"] for m in messages]
    assert first <= min(times)
    for message in releases:
        json.loads(message.value())


def test_a_second_run_finds_nothing_to_do(served):
    deployment, _, counts, published = served
    with deployment.serve() as serve:
        serve.wait_ready()
        serve.wait_caught_up()
        again = serve.finish()
    assert again == counts
    for name, partitions in deployment.outputs("verdicts", "limits", "alerts", "dead-letter",
                                               "late").items():  # fmt: skip
        assert kafka.values(partitions) == kafka.values(published[name]), name
