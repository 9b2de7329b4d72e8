"""Uploading models to the cloud of the tests."""

from pathlib import Path
from typing import Any

from modelmill.models.admission import AdmittedBundle, BundleRejected
from modelmill.models.arrival import take_in
from modelmill.models.registry import ModelVersion
from tests.bundles import MIXED, manifest_sha256, signature_of, write_bundle
from tests.cloud import TENANT, Cloud

MODEL = b"the bytes of a model"


class Admission:
    """Stands for the check of the file, whose own tests are elsewhere; `fault` is what it ends with."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.fault = fault
        self.labels: list[list[str] | None] = []

    def __call__(self, folder: Path, labels: list[str] | None) -> AdmittedBundle:
        assert [path.name for path in folder.iterdir()] == ["model.onnx"]
        self.labels.append(labels)
        if self.fault:
            raise self.fault
        content = (folder / "model.onnx").read_bytes()
        signature = signature_of(MIXED, labels)._replace(kind="tensor", features=[])
        task = None if labels is None else "binary" if len(labels) == 2 else "multiclass"
        known: dict[str, Any] = {"kind": "tensor", "task": task, "algorithm": "uploaded", "target": None, "metrics": {}}
        manifest = write_bundle(folder, labels=labels, model=content, signature=signature, **known)
        return AdmittedBundle(manifest, manifest_sha256(folder), len(content))


REFUSAL = BundleRejected("external_data", "model.onnx refers to tensors outside of the file")


def asked(cloud: Cloud, model: str = "m", **body: Any) -> tuple[int, str]:
    """A version that waits for its file: number and key."""
    answer = cloud.call("POST", f"/v1/models/{model}/versions", {"format": "onnx", **body})
    assert answer.status == 201, answer.body
    return answer.body["version"], answer.body["upload"]["fields"]["key"]


def sent(cloud: Cloud, model: str = "m", **body: Any) -> tuple[int, str]:
    """A version whose file is there, while nobody was told."""
    number, key = asked(cloud, model, **body)
    cloud.uploads.write(key, MODEL)
    return number, key


def arrived(cloud: Cloud, key: str, admit: Admission | None = None) -> None:
    """The event of an upload is worked on."""
    take_in(cloud.reception(admit or Admission()), key)


def ready(cloud: Cloud, model: str = "m", **body: Any) -> int:
    """A version that went all the way."""
    number, key = sent(cloud, model, **body)
    arrived(cloud, key)
    assert version(cloud, number, model)["status"] == "ready"
    return number


def version(cloud: Cloud, number: int, model: str = "m") -> dict[str, Any]:
    """What a client sees."""
    return dict(cloud.call("GET", f"/v1/models/{model}/versions/{number}").body)


def row(cloud: Cloud, number: int, model: str = "m") -> ModelVersion:
    """The record."""
    found = cloud.registry.version(TENANT, model, number)
    assert found
    return found


def under_way(cloud: Cloud) -> int:
    """The count against the quota."""
    used: int = cloud.call("GET", "/v1/usage").body["quotas"]["model_uploads"]["used"]
    return used


def live(cloud: Cloud, model: str = "m") -> int | None:
    """The version that is served."""
    aliases = cloud.call("GET", f"/v1/models/{model}").body["aliases"]
    return aliases["live"]["version"] if "live" in aliases else None
