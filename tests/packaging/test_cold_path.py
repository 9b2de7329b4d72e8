"""What `infer` loads between its start and its first answer: all of it is waited for at every cold start."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles import MIXED, write_bundle
from tests.cloud import Cloud
from tests.inference_setup import VARIABLES, predict_event
from tests.packaging.test_packages import layers_of
from tests.signed_setup import ENVIRONMENT, moto_over_http

BODY = {"instances": [{"age": 3, "sex": "a", "seen": None, "smoker": True, "visits": 2}]}
# As counted, and a few more; numpy and onnxruntime alone, with the standard library that they load, are 192.
MAX_MODULES = 310
NEVER = {
    "PIL",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "duckdb",
    "email",
    "http",
    "jsonschema",
    "onnx",
    "pydantic",
    "ssl",
    "tokenizers",
    "urllib",
}
PROGRAM = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
import app
result = app.handler(json.loads(sys.argv[2]), None)
with open(sys.argv[3], "w") as file:
    json.dump({"result": result, "modules": sorted(sys.modules)}, file)
"""


@pytest.fixture
def first_answer(built: Path, runtime: Path, cloud: Cloud, tmp_path: Path) -> dict[str, object]:
    """The first result of the built function in a process of its own, and the modules that it had loaded by then."""
    folder = tmp_path / "bundle"
    write_bundle(folder, MIXED, ["no", "yes"])
    cloud.register_bundle(folder)
    path = [built / "InferFunction", *(built / layer / "python" for layer in layers_of("Infer")), runtime]
    event = predict_event(BODY, key=cloud.secret)
    arguments = [json.dumps(list(map(str, path))), json.dumps(event), str(tmp_path / "out.json")]
    command = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-B", "-c", PROGRAM, *arguments]
    with moto_over_http() as url:
        variables = VARIABLES | ENVIRONMENT | {"AWS_ENDPOINT_URL": url, "PATH": os.environ["PATH"]}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads((tmp_path / "out.json").read_text()))


def test_infer_loads_only_what_its_first_answer_needs(first_answer: dict) -> None:
    modules = first_answer["modules"]

    assert first_answer["result"]["statusCode"] == 200, first_answer["result"]
    assert first_answer["result"]["headers"]["x-modelmill-cold"] == "true"
    assert NEVER & {name.partition(".")[0] for name in modules} == set()
    assert len(modules) <= MAX_MODULES
