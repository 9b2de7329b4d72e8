"""Bringing an ONNX model: `client.models.upload` and `modelmill models upload` against a real HTTP server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelmill_client import Client, InvalidInput, NotReady, RetryPolicy, UploadFailed, WaitTimeout
from modelmill_client.onnx_file import MAX_MODEL_BYTES
from tests.integration.client_server import Answer, FakeApi, Run, command_line

ONNX = b"\x08\x0a\x12\x07skl2onn:\x00"
SIGNATURE = {
    "kind": "tensor",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
    ],
    "features": [],
}
WAITING: dict[str, Any] = {"model": "iris", "version": 1, "status": "awaiting_upload"}
SUMMARY: dict[str, Any] = {
    **WAITING,
    "task": None,
    "algorithm": None,
    "created_at": "2026-01-02T03:04:05Z",
    "bytes": 0,
    "metrics": {},
    "aliases": [],
}
READY: dict[str, Any] = {
    **SUMMARY,
    "status": "ready",
    "task": "multiclass",
    "algorithm": "uploaded",
    "aliases": ["live"],
    "labels": ["setosa", "versicolor", "virginica"],
    "parity": {},
    "lineage": {},
    "metrics": {},
    "signature": SIGNATURE,
}
FAILURE = {"code": "external_data", "message": "model.onnx refers to tensors outside of the file"}
REJECTED = {**SUMMARY, "status": "rejected", "failure": FAILURE}
NAME = ("--name", "iris")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    form = {"url": f"{server.url}/store", "fields": {"key": "models/t/iris/1"}}
    server.on("POST", "/v1/models/iris/versions", Answer({**WAITING, "upload": form}, 201))
    server.on("POST", "/store", Answer(status=204))
    server.on("GET", "/v1/models/iris/versions/1", Answer({**SUMMARY, "status": "validating"}), Answer(READY))
    server.on("DELETE", "/v1/models/iris/versions/1", Answer(status=204))
    yield server
    server.close()


@pytest.fixture
def client(api: FakeApi) -> Iterator[Client]:
    with Client(api.url, "mm_test", retry=RetryPolicy(sleep=lambda _: None)) as client:
        yield client


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(api, tmp_path, monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "iris.onnx"
    path.write_bytes(ONNX)
    return path


def test_an_upload_registers_sends_and_waits(api: FakeApi, client: Client, model: Path) -> None:
    seen_progress: list[tuple[int, int]] = []

    version = client.models.upload(
        model,
        "iris",
        labels=["setosa", "versicolor", "virginica"],
        promote=True,
        progress=lambda sent, size: seen_progress.append((sent, size)),
    )

    assert version == READY
    [created] = api.requests("POST", "/v1/models/iris/versions")
    assert created.json == {"format": "onnx", "labels": ["setosa", "versicolor", "virginica"], "promote": True}
    [stored] = api.requests("POST", "/store")
    assert "x-api-key" not in stored.headers
    assert stored.body.index(b"models/t/iris/1") < stored.body.index(ONNX)
    assert seen_progress[-1] == (len(ONNX), len(ONNX))


def test_without_waiting_the_form_comes_back(api: FakeApi, client: Client, model: Path) -> None:
    created = client.models.upload(str(model), "iris", wait=False)

    assert created["status"] == "awaiting_upload"
    assert [seen.json for seen in api.requests("POST", "/v1/models/iris/versions")] == [{"format": "onnx"}]
    assert api.requests("GET", "/v1/models/iris/versions/1") == []


def test_registering_is_repeated_under_the_same_idempotency_key(api: FakeApi, client: Client, model: Path) -> None:
    form = {"url": f"{api.url}/store", "fields": {"key": "k"}}
    created = Answer({**WAITING, "upload": form}, 201)
    api.on("POST", "/v1/models/iris/versions", Answer(status=0), Answer({"code": "unavailable"}, 503), created)

    client.models.upload(model, "iris", wait=False)

    sent = api.requests("POST", "/v1/models/iris/versions")
    assert len(sent) == 3
    assert len({seen.headers["idempotency-key"] for seen in sent}) == 1
    assert len(api.requests("POST", "/store")) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty, expected an ONNX model"),
        (b"PK\x03\x04\x14\x00", "is a zip archive, such as a .keras, .npz or PyTorch file, expected an ONNX file"),
        (b"\x80\x04\x95\x10", "is a pickle, such as a joblib or PyTorch file"),
        (b"\x89HDF\r\n\x1a\n\x00", "is HDF5, such as a .h5 file of Keras"),
        (b"\x1f\x8b\x08", "is compressed with gzip"),
        (b"\x93NUMPY\x01", "is a NumPy array"),
        (b"\x1c\x00\x00\x00TFL3", "is a TensorFlow Lite model"),
    ],
)
def test_what_is_no_onnx_is_refused_before_anything_is_sent(
    api: FakeApi, client: Client, model: Path, content: bytes, told: str
) -> None:
    model.write_bytes(content)

    with pytest.raises(InvalidInput, match=told):
        client.models.upload(model, "iris")

    assert api.seen == []


def test_a_model_over_the_cap_or_absent_is_refused_before_anything_is_sent(
    api: FakeApi, client: Client, model: Path, tmp_path: Path
) -> None:
    with model.open("wb") as sparse:
        sparse.truncate(MAX_MODEL_BYTES + 1)

    with pytest.raises(InvalidInput, match=f"has {MAX_MODEL_BYTES + 1} bytes, at most {MAX_MODEL_BYTES}"):
        client.models.upload(model, "iris")
    with pytest.raises(InvalidInput, match="there is no file"):
        client.models.upload(tmp_path / "none.onnx", "iris")

    assert api.seen == []


@pytest.mark.parametrize("deleted", [204, 403])
def test_a_file_that_the_storage_refuses_leaves_no_version(
    api: FakeApi, client: Client, model: Path, deleted: int
) -> None:
    api.on("POST", "/store", Answer(b"<Error><Code>EntityTooLarge</Code><Message>too large</Message></Error>", 400))
    api.on("DELETE", "/v1/models/iris/versions/1", Answer(status=deleted))

    with pytest.raises(UploadFailed, match="too large"):
        client.models.upload(model, "iris")

    assert api.requests("DELETE", "/v1/models/iris/versions/1")


def test_a_rejected_model_is_an_exception_with_code_and_message(api: FakeApi, client: Client, model: Path) -> None:
    api.on("GET", "/v1/models/iris/versions/1", Answer(REJECTED))

    with pytest.raises(NotReady, match="version 1 of iris is rejected: external_data: model") as caught:
        client.models.upload(model, "iris")

    assert caught.value.code == "external_data"
    assert caught.value.resource["failure"] == FAILURE


def test_an_upload_that_never_came_is_an_exception_without_a_code(api: FakeApi, client: Client) -> None:
    api.on("GET", "/v1/models/iris/versions/1", Answer({**SUMMARY, "status": "expired"}))

    with pytest.raises(NotReady, match="version 1 of iris is expired") as caught:
        client.models.wait("iris", 1)

    assert caught.value.code is None


def test_waiting_for_a_version_has_an_end(api: FakeApi, client: Client) -> None:
    api.on("GET", "/v1/models/iris/versions/1", Answer({**SUMMARY, "status": "validating"}))

    with pytest.raises(WaitTimeout, match="version 1 of iris is still validating"):
        client.models.wait("iris", 1, timeout=0.05)


def test_the_command_shows_inputs_outputs_and_what_to_call_next(run: Run, api: FakeApi, model: Path) -> None:
    result = run("models", "upload", model.name, *NAME, "--labels", 'setosa, "versi,color", virginica', "--promote")

    assert result.exit_code == 0, result.stderr
    sent = api.requests("POST", "/v1/models/iris/versions")[0].json
    assert sent == {"format": "onnx", "labels": ["setosa", "versi,color", "virginica"], "promote": True}
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "x FP32 [-1, 4]" in lines
    assert "label INT64 [-1]" in lines
    assert "probabilities FP32 [-1, 3]" in lines
    assert """predict modelmill predict iris --json '{"x": [0.0, 0.0, 0.0, 0.0]}'""" in lines
    assert not any(line.startswith("serve") for line in lines)
    assert result.stderr == "validating\nready\n"


def test_a_version_that_is_not_live_is_told_with_the_command_that_serves_it(
    run: Run, api: FakeApi, model: Path
) -> None:
    picture = {"name": "pixels", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}
    signature = {**SIGNATURE, "inputs": [picture]}
    api.on("GET", "/v1/models/iris/versions/1", Answer({**READY, "aliases": [], "signature": signature}))

    lines = run("models", "upload", model.name, *NAME, "--label", "a", "--label", "b").stdout.splitlines()

    assert api.requests("POST", "/v1/models/iris/versions")[0].json["labels"] == ["a", "b"]
    assert lines[-2:] == [
        "predict        modelmill predict iris --version 1 --jsonl FILE",
        "serve          modelmill promote iris 1 --reason …",
    ]


def test_the_command_prints_the_version_as_json(run: Run, model: Path) -> None:
    assert json.loads(run("models", "upload", model.name, *NAME, "--json").stdout) == READY
    assert json.loads(run("models", "upload", model.name, *NAME, "--no-wait", "--json").stdout) == WAITING


def test_without_waiting_the_command_says_where_to_look(run: Run, api: FakeApi, model: Path) -> None:
    shown = run("models", "upload", model.name, *NAME, "--no-wait").stdout

    assert shown == "version 1 of iris is uploaded; `modelmill versions iris 1` shows what comes of it\n"
    assert api.requests("GET", "/v1/models/iris/versions/1") == []


def test_a_rejected_model_is_exit_code_1_with_code_and_sentence(run: Run, api: FakeApi, model: Path) -> None:
    api.on("GET", "/v1/models/iris/versions/1", Answer(REJECTED))

    shown = run("models", "upload", model.name, *NAME)
    parsed = run("models", "upload", model.name, *NAME, "--json")
    looked_at = run("versions", "iris", "1")

    assert (shown.exit_code, parsed.exit_code, looked_at.exit_code) == (1, 1, 0)
    sentence = "external_data: model.onnx refers to tensors outside of the file"
    assert shown.stdout == ""
    assert shown.stderr.splitlines()[-1] == f"error: version 1 of iris is rejected: {sentence}"
    assert json.loads(parsed.stdout) == REJECTED
    assert f"failure        {sentence}" in looked_at.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label", "a", "--labels", "b,c"], "error: got --label and --labels"),
        (["--timeout", "soon"], "Invalid value for '--timeout'"),
    ],
)
def test_wrong_usage_sends_nothing(run: Run, api: FakeApi, model: Path, words: list[str], message: str) -> None:
    result = run("models", "upload", model.name, *NAME, *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert api.seen == []


def test_an_option_of_the_list_is_not_lost_on_the_upload(run: Run, api: FakeApi, model: Path) -> None:
    result = run("models", "--url", "http://127.0.0.1:9", "upload", model.name, *NAME)

    assert result.exit_code == 2
    assert "give --url behind 'upload'" in result.stderr
    assert api.seen == []


def test_models_alone_still_lists(run: Run, api: FakeApi) -> None:
    waiting = {"model": "iris", "latest_version": 1, "aliases": {}, "updated_at": "2026-01-02T03:04:05Z"}
    api.on("GET", "/v1/models", Answer({"models": [waiting]}))

    assert "iris" in run("models").stdout
    assert json.loads(run("models", "--json").stdout) == [waiting]
    assert run("models", "iris").exit_code == 2


def test_versions_shows_the_tensors_of_an_uploaded_model(run: Run, api: FakeApi) -> None:
    api.on("GET", "/v1/models/iris/versions", Answer({"versions": [READY, SUMMARY]}))
    api.on("GET", "/v1/models/iris/versions/1", Answer(READY))

    one = [line.split() for line in run("versions", "iris", "1").stdout.splitlines()]
    listed = run("versions", "iris").stdout

    assert ["x", "FP32", "[-1,", "4]"] in one
    assert ["labels", "setosa,", "versicolor,", "virginica"] in one
    assert "uploaded" in listed
    assert "awaiting_upload" in listed
