"""Writing a model bundle: models, manifest, policy and reason table in one directory.

The manifest is written last, so that a directory with a manifest is complete.
"""

import hashlib
import json
import math
import re
import shutil
from pathlib import Path


def number(value):
    """The shortest text that reads back to the same float32 or float64."""
    value = float(value) if isinstance(value, (int, float)) else value
    text = str(value)
    return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(text, text)


def quoted(text):
    return json.dumps(str(text), ensure_ascii=False)


def word(text):
    """A name as it stands, in quotes where YAML would read something else."""
    plain = re.fullmatch(r"[A-Za-z][\w.-]*", text, re.ASCII)
    return text if plain and text.lower() not in {"null", "true", "false"} else quoted(text)


def mapping(values, indent):
    """YAML lines of a mapping of names to numbers, texts or mappings."""
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:"] + mapping(value, indent + "  ")
        elif isinstance(value, str):
            lines.append(f"{indent}{key}: {quoted(value)}")
        else:
            text = str(value) if isinstance(value, int) else number(value)
            lines.append(f"{indent}{key}: {text}")
    return lines


def feature_list(features):
    lines, line = [], "      ["
    for i, name in enumerate(features):
        piece = name + ("]" if i + 1 == len(features) else ", ")
        if len(line) + len(piece) > 98:
            lines.append(line.rstrip())
            line = "       "
        line += piece
    return lines + [line]


def golden_csv(features, values, scores):
    """Rows and what the trainer says of them, so that every start can compare."""
    lines = [",".join([*features, "raw_score"])]
    for row, score in zip(values, scores, strict=True):
        fields = ["" if math.isnan(value) else number(value) for value in row]
        lines.append(",".join([*fields, repr(float(score))]))
    return "\n".join(lines) + "\n"


def write_bundle(out, *, name, version, spec, models, thresholds, baseline, training, policy,
                 reasons):
    """`models`: role -> (LightGBM text, feature names, golden rows as CSV). `policy`, `reasons`:
    files to take over."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "manifest.yaml").unlink(missing_ok=True)
    for source, target in ((policy, "policy.yaml"), (reasons, "reasons.yaml")):
        if Path(source).resolve() != (out / target).resolve():
            shutil.copyfile(source, out / target)
    lines = ["# A model bundle of Tidemark, written by tools/train. The features are those that",
             "# each model expects, in its order; reasons compare with the baseline, the typical",
             "# merchant.",
             "format: 1", f"name: {word(name)}", f"version: {quoted(version)}", "spec:",
             f"  fingerprint: {quoted(spec)}", "models:"]
    for role, (text, features, golden) in models.items():
        data = text.encode()
        (out / f"{role}.txt").write_bytes(data)
        (out / f"{role}.golden.csv").write_text(golden)
        lines += [f"  {role}:", f"    name: {word(f'{name}-{role}')}",
                  f"    version: {quoted(version)}",
                  f"    file: {role}.txt", f"    sha256: {hashlib.sha256(data).hexdigest()}",
                  "    golden:", f"      file: {role}.golden.csv",
                  f"      sha256: {hashlib.sha256(golden.encode()).hexdigest()}",
                  "    features:"] + feature_list(features)
    lines += ["thresholds:"] + mapping(thresholds, "  ")
    lines += ["policy: {file: policy.yaml}", "reasons: {file: reasons.yaml}", "baseline:"]
    lines += mapping({key: value if not math.isnan(value) else math.nan
                      for key, value in baseline.items()}, "  ")
    lines += ["training:"] + mapping(training, "  ")
    pending = out / "manifest.yaml.part"
    pending.write_text("\n".join(lines) + "\n")
    pending.rename(out / "manifest.yaml")
