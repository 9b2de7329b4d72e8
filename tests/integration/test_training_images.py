"""The training image of every region is the one that SageMaker's SDK would choose."""

import json
import re
import subprocess
import sys
from typing import Any

import botocore.session
import pytest

from infra.translated import translated

SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-us-gov": "amazonaws.com",
}
ASK_THE_SDK = """
import json, sys
from sagemaker.core.image_uris import retrieve
request = json.load(sys.stdin)
types = {"cpu": "ml.m5.xlarge", "gpu": "ml.g5.xlarge"}
common = {"framework": "tensorflow", "version": "2.21.0", "image_scope": "training", "py_version": "py312"}
images = {d: {r: retrieve(region=r, instance_type=types[d], **common) for r in request} for d in types}
json.dump(images, sys.stdout)
"""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return translated()


@pytest.fixture(scope="module")
def chosen(template: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Device to region to image, from the SDK in a process of its own: its import is slow and full of warnings."""
    regions = json.dumps(sorted(template["Mappings"]["TrainingImages"]))
    command = [sys.executable, "-W", "ignore", "-c", ASK_THE_SDK]
    result = subprocess.run(command, input=regions, capture_output=True, text=True, check=True)
    return dict(json.loads(result.stdout[result.stdout.index("{") :]))


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_images_agree(template: dict[str, Any], chosen: dict[str, dict[str, str]], device: str) -> None:
    variables = template["Resources"]["DispatchFunction"]["Properties"]["Environment"]["Variables"]
    image = variables[f"MODELMILL_TRAINING_IMAGE_{device.upper()}"]

    ours = {region: resolve(image, region, template) for region in chosen[device]}

    assert ours == chosen[device]


def resolve(image: dict[str, Any], region: str, template: dict[str, Any]) -> str:
    """The image's address as CloudFormation would put it together in a region."""
    text, variables = image["Fn::Sub"]
    assert variables == {"Account": {"Fn::FindInMap": ["TrainingImages", {"Ref": "AWS::Region"}, "Account"]}}
    partition = botocore.session.get_session().get_partition_for_region(region)
    values = {
        "Account": template["Mappings"]["TrainingImages"][region]["Account"],
        "AWS::Region": region,
        "AWS::URLSuffix": SUFFIXES[partition],
    }
    return re.sub(r"\$\{([^}]+)\}", lambda match: values[match.group(1)], text)
