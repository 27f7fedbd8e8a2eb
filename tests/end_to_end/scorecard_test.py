# A bundle whose credit model is a scorecard: the same decision, on the same rows, with reasons of
# the same form, whose contributions are the points that a person would look up.
import hashlib
import json
import math
import re
import shutil

import pytest
from support import outputs, program

# [upper edge, points]; the baseline of the quickstart is in the last bin of each.
MONTHS = [(2, 3), (4, 11), (math.inf, 25)]
DAYS = [(5, 2), (20, 9), (math.inf, 14)]
CARD = f"""
scorecard:
  scale: {{points: 60, odds: 30, double: 12}}
  base: 20
  characteristics:
    months_active_12m: {{missing: 0, bins: [[2, 3], [4, 11], [.inf, 25]]}}
    active_days_30d: {{missing: 0, bins: [[5, 2], [20, 9], [.inf, 14]]}}
"""


def make_bundle(folder):
    bundle = folder / "bundle"
    shutil.copytree(program.ROOT / "examples/quickstart/bundle", bundle)
    (bundle / "credit.txt").unlink()
    (bundle / "card.yaml").write_text(CARD)
    manifest = (bundle / "manifest.yaml").read_text()
    model = f"""  credit:
    name: card
    version: "7"
    file: card.yaml
    sha256: {hashlib.sha256(CARD.encode()).hexdigest()}
    features: [months_active_12m, active_days_30d]
"""
    manifest, count = re.subn(r"  credit:\n(    .*\n|      .*\n)+", model, manifest, count=1)
    assert count == 1
    (bundle / "manifest.yaml").write_text(manifest)
    return bundle


def points(bins, value):
    return next(worth for edge, worth in bins if value < edge)


def test_limits_and_reasons_come_from_the_card(small_scene, tmp_path):
    bundle = make_bundle(tmp_path)
    program.replay(small_scene.inputs, tmp_path / "out", f"bundle={bundle}")
    limits = [json.loads(line) for line in outputs.lines_of(tmp_path / "out", "limits")]
    assert len(limits) > 50
    found = 0
    for limit in limits:
        for reason in limit["reasons"]:
            # By code: the policy's own rules speak of the same features.
            bins = {"CONTINUITY": MONTHS, "ACTIVITY": DAYS}.get(reason["code"])
            if bins is None or reason["contribution"] == 0:
                continue
            # Fewer points than the typical merchant's are a contribution to the odds of default.
            fewer = bins[-1][1] - points(bins, reason["value"])
            assert reason["contribution"] == pytest.approx(fewer * math.log(2) / 12, abs=1e-4)
            found += 1
    assert found > 20
    release = json.loads(outputs.lines_of(tmp_path / "out", "releases")[0])
    assert "card" in json.dumps(release)


def test_a_card_that_does_not_fit_is_refused(small_scene, tmp_path):
    bundle = make_bundle(tmp_path)
    text = CARD.replace("[4, 11]", "[1, 11]")
    (bundle / "card.yaml").write_text(text)
    manifest = (bundle / "manifest.yaml").read_text()
    (bundle / "manifest.yaml").write_text(manifest.replace(
        hashlib.sha256(CARD.encode()).hexdigest(), hashlib.sha256(text.encode()).hexdigest()))
    line = program.fails(
        2, "replay", "--config", program.CONFIG, "--out", tmp_path / "out", "--input",
        f"payments={small_scene.inputs['payments']}", "--set", f"bundle={bundle}")
    assert "card.yaml:6:" in line and "edges must rise" in line
