"""The Open Inference Protocol from the gateway's event to the function's result."""

import base64
import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelmill.models.signature import Datatype, Tensor
from modelmill.serving.tensors import CODECS
from modelmill.web.large_json import SMALLEST
from tests.bundles import MIXED, identity_of, write_bundle, write_tensor_bundle
from tests.inference_setup import Plane, predict_event

LABELS = ["cat", "dog", "eel"]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Plane:
    """`echo` gives FP32 [N, 3] back and knows labels, `all` every datatype, `table` is a trained classification."""
    plane, folder = Plane(), tmp_path_factory.mktemp("bundles")
    plane.keys.give("mm_reader", "acme", "read")
    plane.keys.give("mm_other", "other", "predict")
    write_tensor_bundle(folder / "echo", *identity_of(Tensor("x", "FP32", [-1, 3])), labels=LABELS)
    every = [Tensor(f"in_{datatype}", datatype, [-1, 2]) for datatype in CODECS]
    write_tensor_bundle(folder / "all", *identity_of(*every))
    write_tensor_bundle(folder / "text", *identity_of(Tensor("x", "BYTES", [-1])))
    write_bundle(folder / "table", MIXED, ["no", "yes"])
    for name in ("echo", "all", "text", "table"):
        plane.store.put("acme", name, 1, folder / name)
    return plane


def ask(plane: Plane, method: str, path: str, body: Any = None, **event: Any) -> tuple[int, Any, dict[str, str], bytes]:
    """Status, the JSON part, headers and the binary part."""
    if isinstance(body, bytes):
        event |= {"isBase64Encoded": True}
        body = base64.b64encode(body).decode()
    result = plane.send(predict_event(body if body is not None else "", method=method, path=path, **event))
    content = base64.b64decode(result["body"]) if result["isBase64Encoded"] else result["body"].encode()
    coding = result["headers"].get("content-encoding")
    content = {None: lambda c: c, "gzip": gzip.decompress, "deflate": zlib.decompress}[coding](content)
    length = int(result["headers"].get("inference-header-content-length", len(content)))
    return result["statusCode"], orjson.loads(content[:length]), result["headers"], content[length:]


def tensor(
    data: Any = None, shape: Any = (1, 3), name: str = "x", datatype: str = "FP32", **more: Any
) -> dict[str, Any]:
    given = {"name": name, "shape": list(shape), "datatype": datatype, **more}
    return given | ({"data": data} if data is not None else {})


def infer(plane: Plane, inputs: list[dict[str, Any]], model: str = "echo", **body: Any) -> tuple[int, Any]:
    return ask(plane, "POST", f"/v2/models/{model}/infer", {"inputs": inputs, **body})[:2]


def test_health_and_server_need_no_key(plane: Plane):
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert ask(plane, "GET", path, key=None)[:2] == (200, {"live": True, "ready": True})
    status, server, headers, _ = ask(plane, "GET", "/v2", key=None)
    assert (status, server["name"], headers["content-type"]) == (200, "modelmill", "application/json")
    assert "binary_tensor_data" in server["extensions"]


@pytest.mark.parametrize("path", ["/v2/models/echo", "/v2/models/echo/versions/1"])
def test_metadata_and_readiness(plane: Plane, path: str):
    status, told, _, _ = ask(plane, "GET", path)

    assert status == 200
    assert told["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    assert (told["versions"], told["platform"]) == (["1"], "onnx_onnxv1")
    assert ask(plane, "GET", f"{path}/ready")[:2] == (200, {"name": "echo", "ready": True})


def test_the_index_lists_versions_with_their_state(plane: Plane):
    status, entries, _, _ = ask(plane, "POST", "/v2/repository/index", {"ready": True})

    assert status == 200
    assert {(entry["name"], entry["version"], entry["state"]) for entry in entries} >= {("echo", "1", "READY")}


@pytest.mark.parametrize("data", [[1, 2.5, 3], [[1, 2.5, 3]], [[[1], [2.5], [3]]]])
def test_data_is_flat_or_nested(plane: Plane, data: Any):
    status, answer = infer(plane, [tensor(data)], id="seven", parameters={"unknown": 1}, model_name="ignored")

    assert (status, answer["id"], answer["model_name"], answer["model_version"]) == (200, "seven", "echo", "1")
    assert answer["outputs"] == [{"name": "x_out", "datatype": "FP32", "shape": [1, 3], "data": [1.0, 2.5, 3.0]}]


def test_a_large_body_gives_what_a_small_one_does(plane: Plane):
    rows = SMALLEST // 10
    data = np.random.default_rng(0).random((rows, 3)).round(5)

    for form in (data.tolist(), data.ravel().tolist()):
        _, answer = infer(plane, [tensor(form, (rows, 3))])
        np.testing.assert_allclose(answer["outputs"][0]["data"], data.ravel(), rtol=1e-6)
    status, answer = infer(plane, [tensor([*data.ravel().tolist()[:-1], "x"], (rows, 3))])
    assert (status, "'x'" in answer["error"] or '"x"' in answer["error"]) == (400, True)


def values_of(datatype: Datatype) -> np.ndarray:
    if datatype == "BYTES":
        return np.array([["a", "é"], ["", "日本"]], object)
    if datatype == "BOOL":
        return np.array([[True, False], [False, True]])
    dtype = CODECS[datatype].dtype
    return np.array([[0, 1], [2, 100]], dtype)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_every_datatype_comes_back_as_it_was_sent(plane: Plane, binary_in: bool, binary_out: bool):
    inputs, binary = [], b""
    for datatype, codec in CODECS.items():
        array = values_of(datatype)
        sent = tensor(None if binary_in else array.ravel().tolist(), (2, 2), f"in_{datatype}", datatype)
        if binary_in:
            part = bytes(codec.to_bytes(array))
            sent["parameters"] = {"binary_data_size": len(part)}
            binary += part
        inputs.append(sent)
    head = orjson.dumps({"inputs": inputs, "parameters": {"binary_data_output": binary_out}})
    headers = {"inference-header-content-length": str(len(head))} if binary_in else {}

    status, answer, answered, rest = ask(plane, "POST", "/v2/models/all/infer", head + binary, headers=headers)

    assert status == 200, answer
    assert answered["content-type"] == ("application/octet-stream" if binary_out else "application/json")
    for output, (datatype, codec) in zip(answer["outputs"], CODECS.items(), strict=True):
        if binary_out:
            size = output["parameters"]["binary_data_size"]
            array, rest = codec.from_bytes(memoryview(rest[:size])), rest[size:]
        else:
            array = codec.from_values(output["data"])
        assert array.tolist() == values_of(datatype).ravel().tolist()
    assert rest == b""


def test_a_raw_body_is_the_only_input(plane: Plane):
    numbers = np.array([[1, 2, 3]], np.float32)
    headers = {"inference-header-content-length": "0"}

    status, answer, _, rest = ask(plane, "POST", "/v2/models/echo/infer", numbers.tobytes(), headers=headers)
    _, _, _, text = ask(plane, "POST", "/v2/models/text/infer", "wörd".encode(), headers=headers)

    assert (status, answer["outputs"][0]["shape"]) == (200, [1, 3])
    assert rest == numbers.tobytes()
    assert text[4:].decode() == "wörd"


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_bodies_may_be_compressed_both_ways(plane: Plane, coding: str, pack: Any):
    numbers = np.ones((500, 3), np.float32)
    head = orjson.dumps({"inputs": [tensor(None, (500, 3), parameters={"binary_data_size": numbers.nbytes})]})
    headers = {
        "content-encoding": coding,
        "accept-encoding": coding,
        "inference-header-content-length": str(len(head)),
    }

    body = pack(head + numbers.tobytes())
    status, answer, answered, _ = ask(plane, "POST", "/v2/models/echo/infer", body, headers=headers)

    assert (status, answered["content-encoding"]) == (200, coding)
    assert answer["outputs"][0]["data"] == [1.0] * 1500


def test_a_decompression_bomb_is_refused(plane: Plane):
    body = gzip.compress(b"0" * 50_000_000)

    status, answer, _, _ = ask(plane, "POST", "/v2/models/echo/infer", body, headers={"content-encoding": "gzip"})

    assert (status, list(answer)) == (413, ["error"])


def test_classification_ranks_and_names_the_classes(plane: Plane):
    asked = [{"name": "x_out", "parameters": {"classification": 2}}]

    _, answer = infer(plane, [tensor([0.1, 0.7, 0.2])], outputs=asked)

    (output,) = answer["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 2])
    assert [text.split(":")[1:] for text in output["data"]] == [["1", "dog"], ["2", "eel"]]


def test_a_trained_model_takes_its_two_matrices(plane: Plane):
    inputs = [
        tensor([1.0] * 9, (1, 9), "numeric", "FP64"),
        tensor(["a"], (1, 1), "categorical", "BYTES"),
    ]

    status, answer = infer(plane, inputs, "table", outputs=[{"name": "label"}])

    assert status == 200, answer
    assert answer["outputs"][0]["data"][0] in ("no", "yes")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "inputs"),
        ([tensor([1, 2, 3], name="y")], "no input"),
        ([tensor([1, 2, 3]), tensor([1, 2, 3])], "twice"),
        ([tensor([1, 2, 3], datatype="FP64")], "expected 'FP32'"),
        ([tensor([1, 2, 3], datatype="BF16")], "BF16"),
        ([tensor([1, 2, 3], (3,))], "shape"),
        ([tensor([1, 2, 3], (0, 3))], "shape"),
        ([tensor([1, 2, 3], (-1, 3))], "shape"),
        ([tensor([1, 2, 3], (2**62, 3))], "shape"),
        ([tensor([1, 2], (1, 3))], "elements"),
        ([tensor([1, 2, None])], "null"),
        ([tensor([1, 2, True])], "true"),
        ([tensor([1, 2, "3"])], "3"),
        ([tensor([1, 2, 1e39])], "1e+39"),
        ([tensor({}, (1, 3))], "array"),
        ([tensor(parameters={"binary_data_size": 12})], "bytes"),
        ([tensor(parameters={"binary_data_size": -1})], "binary_data_size"),
        ([tensor(parameters={"shared_memory_region": "r"})], "binary_data_size"),
    ],
)
def test_what_does_not_fit_is_told_in_the_protocols_form(plane: Plane, inputs: list[Any], words: str):
    status, answer, headers, _ = ask(plane, "POST", "/v2/models/echo/infer", {"inputs": inputs})

    assert (status, list(answer), headers["content-type"]) == (400, ["error"], "application/json")
    assert words in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "event", "status"),
    [
        ("POST", "/v2/models/none/infer", {}, 404),
        ("POST", "/v2/models/echo/versions/9/infer", {}, 404),
        ("GET", "/v2/models/echo/versions/x", {}, 404),
        ("GET", "/v2/nothing", {}, 404),
        ("DELETE", "/v2/models/echo", {}, 404),
        ("GET", "/v2/models/echo", {"key": None}, 401),
        ("POST", "/v2/models/echo/infer", {"key": "mm_reader"}, 403),
        ("GET", "/v2/models/echo", {"key": "mm_other"}, 404),
    ],
)
def test_other_errors_have_that_form_too(plane: Plane, method: str, path: str, event: dict[str, Any], status: int):
    answered, answer, headers, _ = ask(plane, method, path, {"inputs": [tensor([1, 2, 3])]}, **event)

    assert (answered, list(answer), headers["content-type"]) == (status, ["error"], "application/json")


def test_an_answer_that_would_not_fit_names_the_largest_batch(tmp_path: Path):
    plane = Plane()
    write_tensor_bundle(tmp_path, *identity_of(Tensor("x", "FP32", [-1, 1000])))
    plane.store.put("acme", "wide", 1, tmp_path)
    numbers = np.random.default_rng(0).random((1200, 1000)).astype(np.float32)
    head = orjson.dumps({"inputs": [tensor(None, (1200, 1000), parameters={"binary_data_size": numbers.nbytes})]})
    headers = {"inference-header-content-length": str(len(head))}

    status, answer, _, _ = ask(plane, "POST", "/v2/models/wide/infer", head + numbers.tobytes(), headers=headers)

    assert status == 413
    assert 0 < int(answer["error"].split("at most ")[1].split()[0]) < 1200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("name", "shape", "datatype", "data", "parameters")


@settings(max_examples=150, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3), more=st.dictionaries(st.text(), JSON))
def test_odd_json_is_answered_or_refused(plane: Plane, changes: dict[str, Any], more: dict[str, Any]):
    try:
        body = orjson.dumps(more | {"inputs": [tensor([1, 2, 3]) | changes]})
    except TypeError:  # whole numbers beyond 64 bits, which orjson does not write
        return
    status, answer, _, _ = ask(plane, "POST", "/v2/models/echo/infer", body)

    assert status in (200, 400)
    assert status == 200 or list(answer) == ["error"]


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300), length=st.text(max_size=4) | st.integers(-5, 400).map(str))
def test_odd_framing_is_answered_or_refused(plane: Plane, content: bytes, length: str):
    headers = {"inference-header-content-length": length}

    status, answer, _, _ = ask(plane, "POST", "/v2/models/echo/infer", content, headers=headers)

    assert status in (200, 400)
    assert status == 200 or list(answer) == ["error"]
