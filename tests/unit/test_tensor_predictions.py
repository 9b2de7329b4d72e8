"""`/v1` predictions of models of plain tensors: what is one instance's, what is nobody's, what is no number."""

import base64
import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from onnx import helper

from modelmill.models.signature import Signature, Tensor
from tests.bundles import model_of, value_of, write_tensor_bundle
from tests.inference_setup import Plane, predict_event

X = Tensor("x", "FP32", [-1, 2])


def serve(folder: Path, operator: str, output: Tensor, labels: list[str] | None = None, given: Tensor = X) -> Plane:
    """A model `m` of one operator."""
    graph = model_of([helper.make_node(operator, [given.name], [output.name])], [value_of(given)], [value_of(output)])
    write_tensor_bundle(folder, graph, Signature("tensor", [given], [output], []), labels)
    plane = Plane(monthly_quota=100)
    plane.store.put("acme", "m", 1, folder)
    return plane


def post(plane: Plane, *instances: Any, **more: Any) -> tuple[int, dict[str, Any]]:
    return plane.post({"instances": list(instances), **more})


def test_an_output_that_is_not_per_row_is_never_dealt_out(tmp_path: Path):
    plane = serve(tmp_path, "Shape", Tensor("y", "INT64", [2]))

    assert post(plane, [3, 4])[1]["predictions"] == [{"y": [1, 2]}]
    for rows in (2, 3):
        status, answer = post(plane, *[[3, 4]] * rows)
        assert (status, answer["code"]) == (422, "no_batches")


def test_a_model_of_one_fixed_row_gives_all_of_its_output(tmp_path: Path):
    plane = serve(tmp_path, "Flatten", Tensor("y", "FP32", [-1, 6]), given=Tensor("x", "FP32", [1, 2, 3]))

    assert post(plane, [[1, 2, 3], [4, 5, 6]])[1]["predictions"] == [{"y": [[1, 2, 3, 4, 5, 6]]}]


def test_a_score_that_is_no_number_never_wins(tmp_path: Path):
    plane = serve(tmp_path, "Sqrt", Tensor("scores", "FP32", [-1, 2]), ["a", "b"])

    told = [post(plane, row)[1]["predictions"][0] for row in ([-1, 4], [4, -1], [-1, -1])]
    assert [prediction["label"] for prediction in told] == ["b", "a", None]
    assert told[0]["scores"] == {"a": None, "b": 2.0}

    (best,) = post(plane, [-1, 4], top_k=1)[1]["predictions"]
    assert best == {"label": "b", "scores": {"b": 2.0}}
    (nothing,) = post(plane, [-1, -1], thresholds={"a": 0.1})[1]["predictions"]
    assert nothing["label"] is None


def test_only_what_is_answered_counts(tmp_path: Path):
    plane = serve(tmp_path, "Shape", Tensor("y", "INT64", [2]))

    for _ in range(60):
        assert post(plane, [1, 2], [3, 4])[0] == 422

    assert post(plane, [1, 2])[0] == 200


def test_a_run_that_fails_tells_why_and_how_long_it_took(tmp_path: Path):
    given = Tensor("x", "FP32", [-1, -1])
    plane = serve(tmp_path, "Det", Tensor("y", "FP32", [-1]), given=given)

    status, answer = post(plane, [1, 2], [3, 4], [5, 6])

    assert (status, answer["code"]) == (422, "model_failed")
    assert answer["detail"].startswith("the model failed on these inputs: ")
    assert "square" in answer["detail"].lower() or "dim" in answer["detail"].lower()
    assert "/" not in answer["detail"]


def test_texts_that_would_not_fit_are_not_written_first(tmp_path: Path):
    given, output = Tensor("x", "BYTES", [-1, 4]), Tensor("y", "BYTES", [-1, 8])
    twice = helper.make_node("Concat", ["x", "x"], ["y"], axis=1)
    graph = model_of([twice], [value_of(given)], [value_of(output)])
    write_tensor_bundle(tmp_path, graph, Signature("tensor", [given], [output], []))
    plane = Plane()
    plane.store.put("acme", "m", 1, tmp_path)

    status, answer = post(plane, *[["a" * 10_000] * 4] * 140)

    assert (status, answer["code"]) == (413, "too_large")


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_body_may_be_compressed(tmp_path: Path, coding: str):
    plane = serve(tmp_path, "Neg", Tensor("y", "FP32", [-1, 2]))
    event = predict_event({"instances": [[1, 2]]})
    event["body"] = gzip.compress(event["body"].encode())
    event["headers"]["content-encoding"] = coding

    result = plane.send(as_base64(event))

    assert result["statusCode"] == (200 if coding == "gzip" else 415)
    if coding == "gzip":
        assert orjson.loads(result["body"])["predictions"] == [{"y": [-1.0, -2.0]}]


def as_base64(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"body": base64.b64encode(event["body"]).decode(), "isBase64Encoded": True}
