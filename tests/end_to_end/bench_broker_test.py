# The pipeline benchmark, tiny, so that it cannot rot: all contenders take part and lose nothing.
import json

from support import program


def test_all_contenders_finish(broker, small_scene, tmp_path):
    said = program.run_well(
        "bench", "pipeline", "--config", program.CONFIG,
        "--payments", small_scene.inputs["payments"],
        "--merchants", small_scene.inputs["merchants"], "--work", tmp_path, "--runs", 1,
        "--partitions", 2, "--transaction-events", 5000, "--json",
        *program.settings(f"kafka.bootstrap_servers={broker.bootstrap}", *program.SMALL),
    )  # fmt: skip
    result = json.loads(said.splitlines()[-1])
    assert result["events"] == sum(
        len(small_scene.lines(source)) for source in ("payments", "merchants")
    )
    for contender in ("replay", "bare", "serve"):
        assert len(result[contender]) == 1 and result[contender][0] > 0
