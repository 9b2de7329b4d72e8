"""Half precision: when it is used, and that the model that comes out is one of single precision."""

import onnx
import pytest

from modelmill_training.networks import precision
from tests.kinds import digits
from tests.training.conftest import Train

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 0)], "mixed_float16"),
        ([(7, 5), (8, 6)], "mixed_float16"),
        ([(8, 6), (6, 0)], "float32"),
    ],
)
def test_half_precision_is_for_gpus_that_are_built_for_it(capabilities: list[tuple[int, int]], expected: str) -> None:
    assert precision.policy_for(capabilities) == expected


def test_a_net_that_is_trained_in_half_precision_is_exported_in_single(
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # given a machine on which half precision is used, as processors can though they do not gain from it
    monkeypatch.setattr(precision, "policy_of_this_machine", lambda: precision.MIXED)

    settings = {"filters": [16, 32], "dense": [32], "epochs": 8, "learning_rate": 0.005}
    tree = train(digits(500), "cnn", hyperparameters=settings)

    # then the net has learned, and its graph is as exact as ever
    assert tree.failure is None
    assert "trains with mixed_float16" in capsys.readouterr().out
    assert tree.manifest.metrics["test"]["accuracy"] > 0.7
    assert tree.manifest.parity["passed"]
    assert tree.manifest.parity["max_error"] < 1e-5
    graph = onnx.ModelProto.FromString((tree.root / "model/model.onnx").read_bytes()).graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    casts = {attribute.i for node in graph.node if node.op_type == "Cast" for attribute in node.attribute}
    assert onnx.TensorProto.FLOAT in kinds
    assert onnx.TensorProto.FLOAT16 not in kinds | casts
