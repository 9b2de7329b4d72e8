"""The function itself, over DynamoDB and S3 (moto): what `admit` registers, `infer` serves, and nothing else."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from functions.infer import app
from tests.bundles import MIXED, write_bundle
from tests.cloud import TENANT, Cloud
from tests.inference_setup import VARIABLES, predict_event
from tests.signed_setup import moto_over_http

BODY = {"instances": [{"age": 3, "sex": "a", "seen": None, "smoker": True, "visits": 2}]}


@pytest.fixture
def served(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud in which a job's bundle has become version 1 of `m`."""
    write_bundle(tmp_path, MIXED, ["no", "yes"])
    cloud.register_bundle(tmp_path)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with moto_over_http() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        limits = resource.getrlimit(resource.RLIMIT_DATA)
        forget()
        yield cloud
        forget()
        # The function bounds the memory of its process, which here is everybody's.
        resource.setrlimit(resource.RLIMIT_DATA, limits)


def forget() -> None:
    """The next request starts from nothing."""
    app.aws().close()
    app.aws.cache_clear()
    app.inference.cache_clear()


def predict(cloud: Cloud, **event: Any) -> tuple[int, dict[str, Any]]:
    result = app.handler(predict_event(BODY, key=cloud.secret, **event), None)
    return result["statusCode"], orjson.loads(result["body"])


def test_a_registered_version_is_served(served: Cloud):
    status, answer = predict(served)

    assert (status, answer["version"]) == (200, 1)
    assert answer["predictions"][0]["label"] in ("no", "yes")


def test_the_line_of_log_goes_to_standard_output(served: Cloud, capfd: pytest.CaptureFixture[str]):
    predict(served)

    line = orjson.loads(capfd.readouterr().out.strip())
    assert (line["function"], line["status"], line["tenant"]) == ("infer", 200, TENANT)


def test_an_altered_or_lost_model_is_not_served(served: Cloud):
    key = f"models/{TENANT}/m/1/model.onnx"
    content = served.store.read(key)
    served.store.write(key, content[:-1] + b"\x00")
    assert predict(served)[1]["code"] == "version_unloadable"

    forget()
    served.store.delete(key)
    assert predict(served)[1]["code"] == "version_unloadable"


def test_an_unknown_model_and_a_foreign_key(served: Cloud):
    assert predict(served, path="/v1/models/other/predict")[0] == 404
    assert app.handler(predict_event(BODY, key="mm_wrong"), None)["statusCode"] == 401
