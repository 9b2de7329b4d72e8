"""The function itself, over DynamoDB and S3 (moto), with the real check: what is uploaded, and what comes of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from functions.admit import app
from modelmill.jobs.track import follow
from modelmill.models.manifest import Manifest
from tests.bundles import model_of, write_bundle
from tests.cloud import STACK, TENANT, Cloud
from tests.model_uploads import asked, live, row, under_way, version

type Admit = Callable[[str], list[Any]]


@pytest.fixture
def admit(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Admit]:
    """The function in its environment: takes a message, gives what it could not work on."""
    given = {"TABLE": "table", "STORE_BUCKET": "store", "UPLOADS_BUCKET": "uploads", "STACK": STACK}
    for name, value in given.items():
        monkeypatch.setenv(f"MODELMILL_{name}", value)
    forget()
    context: Any = type("Context", (), {})()
    for name in ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id"):
        setattr(context, name, "1")

    def receive(body: str) -> list[Any]:
        record = {"messageId": "1", "eventSource": "aws:sqs", "body": body, "attributes": {}}
        failed: list[Any] = app.handler({"Records": [record]}, context)["batchItemFailures"]
        return failed

    yield receive
    forget()


def forget() -> None:
    for cached in (app.settings, app.registrar, app.reception):
        cached.cache_clear()


def arrival(key: str, bucket: str = "uploads") -> str:
    """What S3 says, as far as it is read."""
    return json.dumps({"detail": {"bucket": {"name": bucket}, "object": {"key": key}}})


def scores(classes: int = 3) -> onnx.ModelProto:
    """Probabilities of classes from four numbers."""
    weights = np.arange(4 * classes, dtype=np.float32).reshape(4, classes)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Softmax", ["product"], ["probabilities"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes])]
    return model_of(nodes, inputs, outputs, [numpy_helper.from_array(weights, "w")])


def with_external_data() -> bytes:
    model = scores()
    (weights,) = model.graph.initializer
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return bytes(model.SerializeToString())


def sent(cloud: Cloud, content: bytes, **body: Any) -> tuple[int, str]:
    """A version whose file is there."""
    number, key = asked(cloud, **body)
    cloud.uploads.write(key, content)
    return number, key


def test_an_uploaded_model_goes_all_the_way(cloud: Cloud, admit: Admit) -> None:
    labels = ["low", "middle", "high"]
    number, key = sent(cloud, scores().SerializeToString(), labels=labels)

    failed = admit(arrival(key))

    found = version(cloud, number)
    assert failed == []
    assert (found["status"], found["task"], found["algorithm"]) == ("ready", "multiclass", "uploaded")
    assert found["labels"] == labels
    assert found["signature"]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert found["signature"]["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]
    assert live(cloud) == number
    assert (under_way(cloud), cloud.uploads.size(key)) == (0, None)


def test_what_is_kept_is_what_the_manifest_lists(cloud: Cloud, admit: Admit) -> None:
    content = scores().SerializeToString()
    number, key = sent(cloud, content)

    admit(arrival(key))

    prefix = f"models/{TENANT}/m/{number}/"
    manifest = Manifest.from_json(cloud.store.read(prefix + "manifest.json"))
    kept = {name.removeprefix(prefix): size for name, size in cloud.store.objects(prefix)}
    assert {name: file.bytes for name, file in manifest.files.items()} == {
        name: size for name, size in kept.items() if name != "manifest.json"
    }
    assert cloud.store.read(prefix + "model.onnx") == content
    assert row(cloud, number).bytes == sum(kept.values())


@pytest.mark.parametrize(
    ("content", "labels", "code"),
    [
        (b"\x80\x04\x95 a pickle", None, None),
        (b"PK\x03\x04 a .keras file", None, None),
        (with_external_data(), None, "external_data"),
        (scores().SerializeToString(), ["only", "two"], "labels_mismatch"),
    ],
    ids=["pickle", "keras", "external data", "labels"],
)
def test_what_must_not_be_served_is_rejected_with_the_reason(
    cloud: Cloud, admit: Admit, content: bytes, labels: list[str] | None, code: str | None
) -> None:
    number, key = sent(cloud, content, **({"labels": labels} if labels else {}))

    failed = admit(arrival(key))

    found = version(cloud, number)
    assert (failed, found["status"]) == ([], "rejected")
    assert found["failure"]["code"] in ({code} if code else {"unsupported_format", "unsupported_onnx"})
    assert found["failure"]["message"]
    assert live(cloud) is None
    assert (under_way(cloud), cloud.uploads.size(key), list(cloud.store.objects(""))) == (0, None, [])


def test_the_bundle_of_a_job_comes_through_the_same_queue(cloud: Cloud, admit: Admit, tmp_path: Path) -> None:
    job = cloud.started_job()
    write_bundle(tmp_path)
    cloud.finish(job, tmp_path)
    follow(cloud.tracker, cloud.job(job.job_id))
    (message,) = cloud.messages("admit")

    assert admit(message) == []

    assert cloud.job(job.job_id).status == "completed"
    assert live(cloud) == 1


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        "{}",
        '{"version": 2, "tenant": "t", "job_id": "j"}',
        '{"version": 1, "tenant": "t"}',
        '{"detail": {"object": {"key": "models/t/m/1"}}}',
        arrival("models/t/m/1", bucket="another"),
        arrival("datasets/t/ds-1"),
        arrival("models/t/m/0"),
        arrival("models/t/m/1/model.onnx"),
        arrival("models/t/m/one"),
    ],
)
def test_a_message_that_nobody_understands_goes_to_the_dead_letters(admit: Admit, body: str) -> None:
    assert admit(body) == [{"itemIdentifier": "1"}]


@pytest.mark.parametrize("body", [arrival("models/t/m/1"), '{"version": 1, "tenant": "t", "job_id": "job-unknown"}'])
def test_a_message_about_nothing_is_acknowledged(admit: Admit, body: str) -> None:
    assert admit(body) == []
