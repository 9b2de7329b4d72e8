"""A model of one's own in the running local cloud: form, S3, EventBridge, queue, admission, prediction."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelmill_client import Client, NotReady
from tests.bundles import model_of

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def doubles(tmp_path: Path) -> Path:
    """A file with a model that gives two scores for two numbers: the numbers, doubled."""
    nodes = [helper.make_node("Mul", ["x", "two"], ["scores"])]
    shape = ["N", 2]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)]
    path = tmp_path / "doubles.onnx"
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    path.write_bytes(model_of(nodes, inputs, outputs, [two]).SerializeToString())
    return path


def test_an_uploaded_model_is_checked_and_served(client: Client, doubles: Path) -> None:
    version = client.models.upload(doubles, "brought", labels=["left", "right"], timeout=120)

    answer = client.predict("brought", [{"x": [1, 3]}])

    assert (version["status"], version["version"], version["aliases"]) == ("ready", 1, ["live"])
    assert (answer["version"], answer["predictions"][0]["label"]) == (1, "right")
    assert client.usage()["quotas"]["model_uploads"]["used"] == 0


def test_a_file_that_cannot_be_served_is_rejected_with_the_reason(client: Client, doubles: Path) -> None:
    doubles.write_bytes(doubles.read_bytes()[:-20])

    with pytest.raises(NotReady) as refused:
        client.models.upload(doubles, "cut-off", timeout=120)

    assert refused.value.resource["status"] == "rejected"
    assert refused.value.resource["failure"]["message"]
