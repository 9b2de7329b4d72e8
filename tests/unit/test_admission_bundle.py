"""Bundles from training are taken in only when every file, the signature and the scores hold."""

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelmill.models.admission import admit_bundle
from modelmill.models.manifest import MANIFEST_FILE, MODEL_FILE, BundleFile
from modelmill.models.probe_process import ProbeLimits, probe
from modelmill.models.rejection import BundleRejected
from modelmill.models.signature import Tensor
from modelmill.serving.load import open_model
from tests.bundles import MIXED, endless, model_of, signature_of, write_bundle

ROWS = [
    {"age": 3, "sex": "a", "seen": "2026-01-02T03:04:05Z", "smoker": True, "visits": None},
    {"age": None, "sex": None, "seen": None, "smoker": None, "visits": 9},
]
LABELS = ["no", "yes"]


COSTS = {"model_bytes": 1, "load_ms": 1.0, "latency_us": 1, "memory_bytes": 1}


def no_probe(_: Path, _form: str) -> dict[str, Any]:
    """The static checks alone."""
    return {"placement": COSTS}


def refusal(folder: Path) -> str:
    with pytest.raises(BundleRejected) as caught:
        admit_bundle(folder, no_probe)
    assert str(folder) not in caught.value.message
    return caught.value.code


def edit(folder: Path, change: Any) -> None:
    """Change the manifest's JSON in place."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    change(manifest)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def reference(folder: Path) -> dict[str, Any]:
    """Rows with the scores that the bundle's own graph gives."""
    manifest = write_bundle(folder, MIXED, LABELS)
    model = open_model(manifest, folder)
    scores = model.session.run(["probabilities"], model.decode(ROWS))[0]
    return {"rows": ROWS, "scores": scores.tolist()}


def test_a_good_bundle_is_probed_and_admitted(tmp_path: Path):
    write_bundle(tmp_path, MIXED, LABELS, reference=reference(tmp_path))

    admitted = admit_bundle(tmp_path)

    content = (tmp_path / MANIFEST_FILE).read_bytes()
    assert admitted.manifest.labels == LABELS
    assert admitted.manifest.placement["load_ms"] > 0
    assert admitted.manifest_sha256 == hashlib.sha256(content).hexdigest()
    assert admitted.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", [MANIFEST_FILE, MODEL_FILE])
def test_a_missing_file(tmp_path: Path, name: str):
    write_bundle(tmp_path)
    (tmp_path / name).unlink()

    assert refusal(tmp_path) == "artifact_missing"


@pytest.mark.parametrize("at", [0, 77, -1])
def test_one_altered_byte(tmp_path: Path, at: int):
    write_bundle(tmp_path)
    content = bytearray((tmp_path / MODEL_FILE).read_bytes())
    content[at] ^= 1
    (tmp_path / MODEL_FILE).write_bytes(content)

    assert refusal(tmp_path) == "artifact_corrupt"


def test_a_file_that_is_not_listed(tmp_path: Path):
    write_bundle(tmp_path)
    (tmp_path / "more.bin").write_bytes(b"x")

    assert refusal(tmp_path) == "artifact_corrupt"


def test_links_and_folders_are_not_files(tmp_path: Path):
    for name, make in {"link": os.symlink, "folder": lambda _, place: Path(place).mkdir()}.items():
        folder = tmp_path / name
        write_bundle(folder)
        make("/etc/passwd", folder / "extra")

        assert refusal(folder) == "artifact_corrupt"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "[" * 100_000, '{"manifest_version": 99}', "\xff"])
def test_a_manifest_that_cannot_be_read(tmp_path: Path, text: str):
    write_bundle(tmp_path)
    (tmp_path / MANIFEST_FILE).write_bytes(text.encode("latin-1"))

    assert refusal(tmp_path) == "artifact_corrupt"


def test_a_manifest_with_numbers_that_no_client_can_read(tmp_path: Path):
    write_bundle(tmp_path)
    edit(tmp_path, lambda manifest: manifest.update(metrics={"test": {"r2": float("nan")}}))

    assert refusal(tmp_path) == "artifact_corrupt"


@pytest.mark.parametrize("metrics", [[], {"test": []}, None])
def test_metrics_of_a_wrong_form(tmp_path: Path, metrics: Any):
    write_bundle(tmp_path, metrics=metrics)

    assert refusal(tmp_path) == "artifact_corrupt"


def features(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "x", "type": "number", "input": "numeric", "index": 0} | changes]


@pytest.mark.parametrize(
    "signature",
    [
        {"features": []},
        {"features": features(name=3)},
        {"features": features(type="text")},
        {"features": features(type=["number"])},
        {"features": features(input="categorical")},
        {"features": features(index=1)},
        {"features": features(index="0")},
        {"features": features() * 2},
        {"features": features() + features(name="z", index=0)},
        {"inputs": []},
        {"inputs": [{"name": "numeric", "datatype": "FP32", "shape": [-1, 1]}]},
        {"inputs": [{"name": "numeric", "datatype": "FP64", "shape": [-1, 2]}]},
        {"outputs": [{"name": "label", "datatype": "BYTES", "shape": [-1]}]},
        {"kind": "text"},
    ],
)
def test_a_signature_that_does_not_add_up(tmp_path: Path, signature: dict[str, Any]):
    write_bundle(tmp_path, [("x", "number")])
    edit(tmp_path, lambda manifest: manifest["signature"].update(signature))

    assert refusal(tmp_path) == "signature_invalid"


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": None},
        {"labels": ["only"]},
        {"labels": ["a", "a"]},
        {"labels": [1, 2]},
        {"labels": ["a", "b", "c"]},
        {"task": "regression"},
        {"task": "other"},
    ],
)
def test_labels_that_do_not_add_up(tmp_path: Path, changes: dict[str, Any]):
    write_bundle(tmp_path, MIXED, LABELS)
    edit(tmp_path, lambda manifest: manifest.update(changes))

    assert refusal(tmp_path) == "signature_invalid"


FLOWERS = [("x", "number"), ("y", "category")]
CLUSTERS = [Tensor("cluster", "INT64", [-1]), Tensor("distances", "FP32", [-1, 3])]
ANOMALIES = [Tensor("anomalous", "BOOL", [-1]), Tensor("score", "FP32", [-1])]
CODES = [ANOMALIES[0], Tensor("embedding", "FP32", [-1, 2]), ANOMALIES[1]]


def without_target(folder: Path, task: str, outputs: list[Tensor], **changes: Any) -> None:
    signature = signature_of(FLOWERS, None)._replace(outputs=outputs)
    write_bundle(folder, FLOWERS, task=task, target=None, signature=signature, **changes)


@pytest.mark.parametrize(
    ("task", "outputs"),
    [("clustering", CLUSTERS), ("anomaly_detection", ANOMALIES), ("anomaly_detection", CODES)],
)
def test_models_without_a_target_are_admitted(tmp_path: Path, task: str, outputs: list[Tensor]):
    without_target(tmp_path, task, outputs)

    assert admit_bundle(tmp_path, no_probe).manifest.task == task


@pytest.mark.parametrize(
    ("task", "outputs", "labels"),
    [
        ("clustering", CLUSTERS, LABELS),
        ("clustering", ANOMALIES, None),
        ("clustering", CLUSTERS[::-1], None),
        ("clustering", [CLUSTERS[0], Tensor("distances", "FP32", [-1, 0])], None),
        ("clustering", [CLUSTERS[0], Tensor("distances", "FP32", [-1, -1])], None),
        ("clustering", [CLUSTERS[0], Tensor("distances", "FP32", [-1, True])], None),
        ("clustering", [CLUSTERS[0], Tensor("distances", "FP32", 3)], None),
        ("anomaly_detection", CLUSTERS, None),
        ("anomaly_detection", ANOMALIES, LABELS),
        ("anomaly_detection", ANOMALIES[:1], None),
        ("anomaly_detection", [*CODES, CODES[1]], None),
        ("regression", ANOMALIES, None),
    ],
)
def test_models_without_a_target_whose_outputs_do_not_add_up(
    tmp_path: Path, task: str, outputs: list[Tensor], labels: list[str] | None
):
    signature = signature_of(FLOWERS, None)._replace(outputs=outputs)
    write_bundle(tmp_path, FLOWERS, task=task, signature=signature)
    edit(tmp_path, lambda manifest: manifest.update(labels=labels))

    assert refusal(tmp_path) == "signature_invalid"


def probe_refusal(folder: Path, limits: ProbeLimits | None = None) -> str:
    with pytest.raises(BundleRejected) as caught:
        probe(folder, "whole", limits or ProbeLimits())
    return caught.value.code


def test_other_scores_than_the_manifest_says(tmp_path: Path):
    expected = reference(tmp_path)
    expected["scores"][1][0] += 0.001
    write_bundle(tmp_path, MIXED, LABELS, reference=expected)

    assert probe_refusal(tmp_path) == "probe_failed"


def test_integer_arithmetic_may_round_a_little_differently(tmp_path: Path):
    optimization = {"kept": True, "asked": {"quantize": "int8"}}
    expected = reference(tmp_path)
    expected["scores"][1][0] += 0.005
    write_bundle(tmp_path, MIXED, LABELS, reference=expected, optimization=optimization)
    assert admit_bundle(tmp_path).manifest.optimization == optimization

    shutil.rmtree(tmp_path)
    for change in ({"kept": False}, {"asked": {"quantize": "float16"}}):
        write_bundle(tmp_path, MIXED, LABELS, reference=expected, optimization=optimization | change)
        assert probe_refusal(tmp_path) == "probe_failed"


def test_a_graph_with_other_tensors_than_the_signature(tmp_path: Path):
    write_bundle(tmp_path / "other", [("x", "number"), ("y", "number")])
    model = (tmp_path / "other" / MODEL_FILE).read_bytes()
    write_bundle(tmp_path / "b", [("x", "number")], model=model)

    assert probe_refusal(tmp_path / "b") == "probe_failed"


def test_a_file_that_onnxruntime_refuses(tmp_path: Path):
    write_bundle(tmp_path, model=b"\x08\x08:\x00")

    assert probe_refusal(tmp_path) == "unsupported_onnx"


def test_a_model_that_never_ends_is_killed(tmp_path: Path):
    write_bundle(tmp_path, [("x", "number")], model=endless())
    started = time.monotonic()

    assert probe_refusal(tmp_path, ProbeLimits(seconds=3)) == "probe_timeout"
    assert time.monotonic() - started < 6


def test_a_process_that_dies_is_a_refusal(tmp_path: Path):
    write_bundle(tmp_path)

    assert probe_refusal(tmp_path, ProbeLimits(memory_bytes=100 * 1024 * 1024)) == "probe_failed"


def test_a_model_that_takes_all_memory_fails_within_its_limit(tmp_path: Path):
    value = helper.make_tensor_value_info
    shape = numpy_helper.from_array(np.array([10_000_000_000]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["total"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["numeric", "total"], ["value"]),
    ]
    inputs, outputs = [value("numeric", TensorProto.DOUBLE, ["N", 1])], [value("value", TensorProto.DOUBLE, ["N", 1])]
    write_bundle(tmp_path, [("x", "number")], model=model_of(nodes, inputs, outputs, [shape]).SerializeToString())

    assert probe_refusal(tmp_path) in ("probe_failed", "unsupported_onnx")


def test_the_probe_sees_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: dict[str, Any] = {}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    def note(*_: Any, **options: Any) -> None:
        seen.update(options)
        raise InterruptedError

    monkeypatch.setattr("subprocess.Popen", note)
    write_bundle(tmp_path)

    with pytest.raises(InterruptedError):
        probe(tmp_path, "whole")

    assert seen["env"].keys() <= {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH"}


def test_a_bundle_may_hold_more_files_when_it_lists_them(tmp_path: Path):
    write_bundle(tmp_path)
    model = (tmp_path / MODEL_FILE).read_bytes()
    (tmp_path / "report.txt").write_bytes(b"fine")
    listed = {
        MODEL_FILE: BundleFile(hashlib.sha256(model).hexdigest(), len(model)),
        "report.txt": BundleFile(hashlib.sha256(b"fine").hexdigest(), 4),
    }
    write_bundle(tmp_path, files=listed)

    assert admit_bundle(tmp_path, no_probe).manifest.files == listed
