# What the journal is good for: `replay --kafka` gives the very bytes that were published live, one
# source's haste and a SIGKILL in between notwithstanding; and a restart with another bundle goes on
# from a state that the earlier bundle decided.
import json
import shutil

import pytest
from support import kafka, outputs, program, scene

PARTITIONS = 4
COMPARED = ("verdicts", "limits", "alerts")


@pytest.fixture(scope="module")
def stricter_bundle(tmp_path_factory):
    """The quickstart's bundle with a policy that refuses more: another release."""
    folder = tmp_path_factory.mktemp("bundle") / "stricter"
    shutil.copytree(program.ROOT / "examples/quickstart/bundle", folder)
    policy = folder / "policy.yaml"
    text = policy.read_text().replace("months_max: 5 ", "months_max: 2 ")
    assert text != policy.read_text()
    policy.write_text(text)
    return folder


def halves(whole, folder):
    first = scene.cut_at(whole, 0.5, folder / "first")
    rest = {}
    (folder / "rest").mkdir()
    for source, path in whole.inputs.items():
        rest[source] = folder / "rest" / path.name
        rest[source].write_bytes(path.read_bytes()[first[source].stat().st_size :])
    return first, rest


@pytest.fixture(scope="module")
def two_releases(broker, small_scene, stricter_bundle, tmp_path_factory):
    """Served to the end of a first half, killed, then the rest with the stricter bundle."""
    first, rest = halves(small_scene, tmp_path_factory.mktemp("halves"))
    deployment = kafka.Deployment(broker, tmp_path_factory.mktemp("run"), inputs="releases-")
    deployment.create_topics(PARTITIONS)
    deployment.load(first, PARTITIONS)
    with deployment.serve() as serve:
        serve.wait_caught_up()
        serve.kill()
    deployment.load(rest, PARTITIONS)
    stricter = (
        f"bundle={stricter_bundle}",
        "previous_bundles=[examples/quickstart/bundle]",
    )
    with deployment.serve(f"bundle={stricter_bundle}") as serve:
        refusal = serve.fails()
    with deployment.serve(*stricter) as serve:
        serve.wait_caught_up()
        counts = serve.finish()
    return deployment, refusal, counts, stricter


def releases_of(lines):
    seen = []
    for line in lines:
        release = json.loads(line)["provenance"]["release"]
        if not seen or seen[-1] != release:
            seen.append(release)
    return seen


def test_an_unknown_release_is_refused_by_name(two_releases):
    _, refusal, _, _ = two_releases
    assert "was written under release" in refusal and "previous_bundles" in refusal


def test_each_decision_names_the_release_that_made_it(two_releases):
    deployment, _, counts, _ = two_releases
    outputs.assert_identity(counts)
    published = kafka.values(deployment.outputs("releases")["releases"])
    assert len({json.loads(line)["release"] for line in published}) == 2
    for partition in deployment.outputs("verdicts")["verdicts"]:
        assert len(releases_of([m.value() for m in partition])) <= 2
    everything = kafka.values(deployment.outputs("verdicts")["verdicts"])
    assert len(set(releases_of(everything))) == 2
    assert len(everything) == counts["scored"]


def test_limit_versions_go_on_across_the_change(two_releases):
    deployment = two_releases[0]
    limits = kafka.values(deployment.outputs("limits")["limits"])
    outputs.assert_versions_without_gap(limits)


def test_replay_of_the_topics_gives_the_bytes_that_were_published(two_releases, tmp_path):
    deployment, _, counts, stricter = two_releases
    command = ["replay", "--config", program.CONFIG, "--kafka", "--out", tmp_path, "--json"]
    summary = json.loads(program.run_well(*command, *deployment.settings(*stricter)))
    live = deployment.outputs(*COMPARED)
    for name in COMPARED:
        expected = [m.value() for partition in live[name] for m in partition]
        found = outputs.lines_of(tmp_path, name)
        assert expected, name
        outputs.assert_same(found, expected, name)
    assert summary["consumed"] == counts["consumed"]
