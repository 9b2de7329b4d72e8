"""What `/v1` and `/v2` answer of clusters and anomalies."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelmill.models.signature import Tensor, anomaly_outputs, cluster_outputs
from tests.bundles import model_of, signature_of, value_of, write_bundle
from tests.inference_setup import Plane, predict_event

COLUMNS = [("x", "number"), ("y", "number")]
ROWS = [{"x": 1, "y": 2}, {"x": 5, "y": 4}]


def serve(folder: Path, task: str, outputs: list[Tensor], nodes: list[onnx.NodeProto]) -> Plane:
    """A model `m` of two numbers; `numbers` are these in single precision."""
    cast = helper.make_node("Cast", ["numeric"], ["numbers"], to=TensorProto.FLOAT)
    signature = signature_of(COLUMNS, None)._replace(outputs=outputs)
    values = {"limit": np.float32(4), "flat": np.array([-1]), "axis": np.array([1])}
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = model_of(
        [cast, *nodes], [value_of(each) for each in signature.inputs], [value_of(each) for each in outputs], constants
    )
    write_bundle(folder, COLUMNS, model=graph.SerializeToString(), task=task, target=None, signature=signature)
    plane = Plane()
    plane.store.put("acme", "m", 1, folder)
    return plane


@pytest.fixture
def clusters(tmp_path: Path) -> Plane:
    nodes = [
        helper.make_node("Identity", ["numbers"], ["distances"]),
        helper.make_node("ArgMin", ["numbers"], ["cluster"], axis=1, keepdims=0),
    ]
    return serve(tmp_path, "clustering", cluster_outputs(2), nodes)


@pytest.fixture
def anomalies(tmp_path: Path) -> Plane:
    nodes = [
        helper.make_node("ReduceMax", ["numbers", "axis"], ["highest"]),
        helper.make_node("Reshape", ["highest", "flat"], ["score"]),
        helper.make_node("Greater", ["score", "limit"], ["anomalous"]),
        helper.make_node("Neg", ["numbers"], ["embedding"]),
    ]
    return serve(tmp_path, "anomaly_detection", anomaly_outputs(2), nodes)


def test_a_row_is_told_its_cluster_and_the_distance_to_each(clusters: Plane) -> None:
    _, answer = clusters.post({"instances": ROWS})

    assert answer["predictions"] == [{"cluster": 0, "distances": [1.0, 2.0]}, {"cluster": 1, "distances": [5.0, 4.0]}]


def test_a_row_is_told_whether_it_is_anomalous(anomalies: Plane) -> None:
    _, answer = anomalies.post({"instances": ROWS})

    assert answer["predictions"] == [
        {"anomalous": False, "embedding": [-1.0, -2.0], "score": 2.0},
        {"anomalous": True, "embedding": [-5.0, -4.0], "score": 5.0},
    ]


def test_nothing_is_chosen_among_classes_where_there_are_none(clusters: Plane) -> None:
    status, answer = clusters.post({"instances": ROWS, "top_k": 1})

    assert (status, answer["code"]) == (422, "invalid_request")


def test_protocol_clients_get_all_outputs(anomalies: Plane) -> None:
    given = {"name": "numeric", "datatype": "FP64", "shape": [2, 2], "data": [[1, 2], [5, 4]]}

    told = ask(anomalies, {"inputs": [given]})

    assert told == {
        "anomalous": ("BOOL", [2], [False, True]),
        "embedding": ("FP32", [2, 2], [-1.0, -2.0, -5.0, -4.0]),
        "score": ("FP32", [2], [2.0, 5.0]),
    }
    assert list(ask(anomalies, {"inputs": [given], "outputs": [{"name": "score"}]})) == ["score"]


def ask(plane: Plane, body: dict[str, Any]) -> dict[str, Any]:
    result = plane.send(predict_event(body, path="/v2/models/m/infer"))
    assert result["statusCode"] == 200, result["body"]
    outputs = orjson.loads(result["body"])["outputs"]
    return {each["name"]: (each["datatype"], each["shape"], np.ravel(each["data"]).tolist()) for each in outputs}
