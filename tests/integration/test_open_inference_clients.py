"""The unmodified clients of the Open Inference Protocol, tritonclient and kserve, against `infer` behind HTTP."""

import base64
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import orjson
import pytest

from modelmill.serving.tensors import CODECS, Array
from tests.environments import make_environment
from tests.inference_setup import Plane
from tests.ml_tree import Tree
from tests.open_inference_models import LABELS, ROWS, TRAINED, Folders, model_name, train_all, upload_all
from tests.open_inference_setup import (
    CLIENTS,
    Client,
    ClientError,
    InferFunction,
    asked,
    by_hand,
    check_agree,
    sent,
    served,
    started,
)

TRITON = ("triton", "triton-asyncio")
DRIVERS = {
    "triton": ("with_triton.py",),
    "triton-asyncio": ("with_triton.py", "asyncio"),
    "kserve": ("with_kserve.py",),
}
EXCEPTIONS = dict.fromkeys(TRITON, "InferenceServerException") | {"kserve": "HTTPStatusError"}
TIMES = np.array([[1, 2, 0.1]], np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    return train_all(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return upload_all(tmp_path_factory.mktemp("uploaded"))


@pytest.fixture(scope="module")
def function(trained: dict[str, Tree], uploaded: Folders) -> InferFunction:
    """`infer` with all of these models; live is the last version of each."""
    plane = Plane()
    for name, tree in trained.items():
        plane.store.put("acme", name, 1, tree.root / "model")
    for (name, number), folder in uploaded.items():
        plane.store.put("acme", name, number, folder)
    return InferFunction(plane)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory, function: InferFunction) -> Iterator[dict[str, Client]]:
    """The clients, in an environment of their own: they need other versions of packages than the project does."""
    folder = tmp_path_factory.mktemp("clients") / "venv"
    programs = make_environment(folder, sys.executable, CLIENTS / "requirements.txt")
    with served(function) as address, ExitStack() as stack:
        yield {
            name: stack.enter_context(started(name, programs, script, address, *kind))
            for name, (script, *kind) in DRIVERS.items()
        }


@pytest.fixture(params=list(DRIVERS))
def client(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    return clients[request.param]


@pytest.fixture(params=TRITON)
def triton(request: pytest.FixtureRequest, clients: dict[str, Client]) -> Client:
    return clients[request.param]


def test_health_needs_no_key(client: Client) -> None:
    assert client.ask("live", key=None) is True
    assert client.ask("ready", key=None) is True


def test_a_model_is_ready_by_name_and_by_version(client: Client) -> None:
    assert [client.ask("model_ready", "times", version) for version in ("", "1", "2")] == [True] * 3
    assert client.ask("model_ready", "times", "9") is False
    assert client.ask("model_ready", "none") is False
    assert client.ask("model_ready", "times", key=None) is False


def test_the_server_and_its_models_are_described(triton: Client) -> None:
    assert {"binary_tensor_data", "classification"} <= set(triton.ask("server", key=None)["extensions"])
    for version in ("", "1"):
        assert triton.ask("metadata", "times", version) == {
            "name": "times",
            "versions": ["1", "2"],
            "platform": "onnx_onnxv1",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}],
        }


def test_the_repository_lists_every_version(triton: Client, function: InferFunction) -> None:
    entries = {(entry["name"], entry["version"], entry["state"]) for entry in triton.ask("index")}

    assert entries == {(name, str(number), "READY") for _, name, number in function.plane.store.registered}


def test_the_live_version_answers_unless_another_is_named(client: Client, uploaded: Folders) -> None:
    for version, number in (("", 2), ("1", 1), ("2", 2)):
        given = client.infer("times", [sent("x", TIMES)], version=version)

        check_agree(given["outputs"], by_hand(uploaded["times", number], {"x": TIMES}))


def values_of(datatype: Any) -> Array:
    """The ends of a datatype's range, and more that is easily lost on the way."""
    dtype = CODECS[datatype].dtype
    if datatype == "BYTES":
        return np.array([["a b", ""], ['"é"', "日本\n"]], dtype)
    if datatype == "BOOL":
        return np.array([[True, False], [False, True]])
    if dtype.kind == "f":
        return np.array([[np.finfo(dtype).min, np.finfo(dtype).max], [0.1, -7]], dtype)
    return np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max], [1, 100]], dtype)


@pytest.mark.parametrize("binary_out", [True, False], ids=["binary-out", "json-out"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary-in", "json-in"])
def test_every_datatype_arrives_and_comes_back(
    client: Client,
    function: InferFunction,
    uploaded: Folders,
    binary_in: bool,
    binary_out: bool,
) -> None:
    # given values of all datatypes
    arrays = {f"in_{datatype}": values_of(datatype) for datatype in CODECS}
    expected = by_hand(uploaded["every", 1], arrays)

    # when they are sent; kserve's client refuses to write FP16 as JSON
    inputs = [
        sent(name, array, binary=binary_in or (client.name == "kserve" and array.dtype == np.float16))
        for name, array in arrays.items()
    ]
    outputs = [] if binary_out else [asked(name, binary=False) for name in expected]
    given = client.infer("every", inputs, outputs=outputs, binary=binary_out)

    # then the model gave them back, in the form that was asked for
    check_agree(given["outputs"], expected)
    form = "application/octet-stream" if binary_out else "application/json"
    assert function.answer["headers"]["content-type"] == form
    has_bytes = "inference-header-content-length" in function.event["headers"]
    assert has_bytes is any(tensor["binary"] for tensor in inputs)


@pytest.mark.parametrize("form", ["binary", "json", "mixed"])
@pytest.mark.parametrize(("algorithm", "task"), TRAINED)
def test_a_trained_model_says_what_its_graph_says(
    client: Client, trained: dict[str, Tree], algorithm: str, task: str, form: str
) -> None:
    # given rows that training has not seen; JSON has no word for a missing number
    name = model_name(algorithm, task)
    arrays = trained[name].inputs(trained[name].parts["test"])
    assert np.isnan(arrays["numeric"]).any()
    if form == "json":
        arrays["numeric"] = np.nan_to_num(arrays["numeric"])
    expected = by_hand(trained[name].root / "model", arrays)

    # when they are sent; mixed: numbers travel as bytes and texts as JSON, both ways
    def binary(array: Array) -> bool:
        return form == "binary" or (form == "mixed" and array.dtype != object)

    inputs = [sent(tensor, array, binary=binary(array)) for tensor, array in arrays.items()]
    outputs = [asked(tensor, binary=binary(array)) for tensor, array in expected.items()]
    given = client.infer(name, inputs, outputs=outputs)

    # then
    check_agree(given["outputs"], expected)


def test_only_the_outputs_that_are_asked_for_come_back(client: Client, uploaded: Folders) -> None:
    arrays = {f"in_{datatype}": values_of(datatype) for datatype in CODECS}
    expected = by_hand(uploaded["every", 1], arrays)
    wanted = ["in_INT64_out", "in_BOOL_out", "in_BYTES_out"]

    inputs = [sent(name, array) for name, array in arrays.items()]
    given = client.infer("every", inputs, outputs=[asked(name) for name in wanted])

    check_agree(given["outputs"], {name: expected[name] for name in wanted})


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_classes_are_ranked_and_named(client: Client, uploaded: Folders, binary: bool) -> None:
    scores = by_hand(uploaded["forest", 1], {"X": ROWS})["probabilities"]

    given = client.infer("forest", [sent("X", ROWS)], outputs=[asked("probabilities", binary=binary, classes=2)])

    told = [[text.split(":") for text in row] for row in given["outputs"]["probabilities"]]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :2]
    assert [[(int(place), label) for _, place, label in row] for row in told] == [
        [(place, LABELS[place]) for place in row] for row in best.tolist()
    ]
    values = [[float(value) for value, _, _ in row] for row in told]
    np.testing.assert_allclose(values, np.take_along_axis(scores, best, 1), atol=1e-6)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_best_class_of_a_trained_model_is_its_label(client: Client, trained: dict[str, Tree], task: str) -> None:
    tree = trained[model_name("linear", task)]
    arrays = tree.inputs(tree.parts["test"])

    inputs = [sent(tensor, array) for tensor, array in arrays.items()]
    given = client.infer(model_name("linear", task), inputs, outputs=[asked("probabilities", classes=1)])

    best = [text.split(":")[2] for text in given["outputs"]["probabilities"][:, 0]]
    assert best == by_hand(tree.root / "model", arrays)["label"].tolist()


def test_scores_of_an_uploaded_classifier(client: Client, uploaded: Folders) -> None:
    expected = by_hand(uploaded["forest", 1], {"X": ROWS})["probabilities"]

    check_agree(client.infer("forest", [sent("X", ROWS)])["outputs"], {"probabilities": expected})


def test_the_id_of_a_request_comes_back(client: Client) -> None:
    assert client.infer("times", [sent("x", TIMES)], id="café-7")["id"] == "café-7"


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_are_compressed_both_ways(
    triton: Client,
    function: InferFunction,
    uploaded: Folders,
    coding: str,
    binary: bool,
) -> None:
    rows = np.repeat(TIMES, 300, axis=0)

    given = triton.infer(
        "times",
        [sent("x", rows, binary=binary)],
        outputs=[asked("y", binary=binary)],
        request_compression=coding,
        response_compression=coding,
    )

    check_agree(given["outputs"], by_hand(uploaded["times", 2], {"x": rows}))
    assert function.event["headers"]["content-encoding"] == coding
    assert function.answer["headers"]["content-encoding"] == coding
    assert len(base64.b64decode(function.answer["body"])) < rows.nbytes


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_a_large_batch(client: Client, function: InferFunction, uploaded: Folders, binary: bool) -> None:
    rows = np.random.default_rng(1).random((20_000, 3), np.float32)

    given = client.infer("times", [sent("x", rows, binary=binary)], outputs=[asked("y", binary=binary)])

    check_agree(given["outputs"], by_hand(uploaded["times", 2], {"x": rows}))
    # the HTTP libraries beneath two of the clients list the codings that they read
    lists = "," in function.event["headers"].get("accept-encoding", "")
    assert ("content-encoding" in function.answer["headers"]) is lists
    assert lists is (client.name != "triton")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"model": "none"}, "no model 'none'"),
        ({"version": "9"}, "version 9"),
        ({"inputs": [sent("x", TIMES[:, :2])]}, "shape of input 'x': got [1, 2]"),
        ({"inputs": [sent("x", TIMES[:0])]}, "shape of input 'x': got [0, 3]"),
        ({"inputs": [sent("x", TIMES.astype(np.float64))]}, "got \"FP64\", expected 'FP32'"),
        ({"inputs": [sent("z", TIMES)]}, 'no input "z"'),
        ({"outputs": [asked("z")]}, 'no output "z"'),
        ({"model": "every", "inputs": [sent("in_BOOL", values_of("BOOL"))]}, "inputs are missing: 'in_UINT8'"),
        ({"key": None}, "no API key"),
        ({"key": "mm_wrong"}, "unknown or revoked"),
    ],
)
def test_the_client_raises_what_the_server_says(
    client: Client, function: InferFunction, call: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError) as caught:
        client.infer(**({"model": "times", "inputs": [sent("x", TIMES)]} | call))

    told = orjson.loads(function.answer["body"])["error"]
    assert caught.value.kind == EXCEPTIONS[client.name]
    assert told in caught.value.message
    assert words in told
    assert str(function.answer["statusCode"]) in caught.value.message


def test_a_missing_number_cannot_be_json(client: Client) -> None:
    with pytest.raises(ClientError) as caught:
        client.infer("times", [sent("x", TIMES * np.nan, binary=False)])

    words = "element 0 of input 'x' is null" if client.name == "kserve" else "JSON has no NaN"
    assert caught.value.kind == EXCEPTIONS[client.name]
    assert words in caught.value.message
    assert "as binary data" in caught.value.message
