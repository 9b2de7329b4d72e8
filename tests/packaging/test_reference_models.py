"""Models of every family run from the stripped package, in an interpreter that sees nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

PROGRAM = """
import io, json, sys
path, folder = json.loads(sys.argv[1])
sys.path[:0] = path
import numpy, onnxruntime, PIL.Image, tokenizers

outputs = {}
for name in ("forest", "cnn", "transformer"):
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx", providers=["CPUExecutionProvider"])
    feed = numpy.array(json.load(open(f"{folder}/{name}.json")))
    given = session.get_inputs()[0]
    feed = feed.astype(numpy.int64 if given.type == "tensor(int64)" else numpy.float32)
    outputs[name] = session.run(None, {given.name: feed})[-1].tolist()
for form in ("PNG", "JPEG", "WEBP"):
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (200, 10, 10)).save(file, form)
    outputs[form] = PIL.Image.open(file).convert("RGB").getpixel((3, 3))
outputs["ids"] = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json").encode("good bad").ids
json.dump(outputs, sys.stdout)
"""
VALUE = helper.make_tensor_value_info


def model_of(nodes: list, given: onnx.ValueInfoProto, size: int, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", [given], [VALUE("y", TensorProto.FLOAT, ["N", size])], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def cnn(random: np.random.Generator) -> onnx.ModelProto:
    """Convolution, pooling, dense, softmax."""
    weights = {"k": random.normal(size=(8, 1, 3, 3)), "w": random.normal(size=(8 * 13 * 13, 10)) * 0.1}
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"], axis=1),
    ]
    given = VALUE("x", TensorProto.FLOAT, ["N", 1, 28, 28])
    return model_of(nodes, given, 10, {name: array.astype(np.float32) for name, array in weights.items()})


def transformer(random: np.random.Generator) -> onnx.ModelProto:
    """Embedding, one head of self-attention, layer normalisation, mean pooling."""
    width = 16
    weights = {name: random.normal(size=(width, width)) * 0.3 for name in ("q", "k", "v")}
    weights |= {"table": random.normal(size=(50, width)), "one": np.ones(width), "zero": np.zeros(width)}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        *(helper.make_node("MatMul", ["e", name], [f"{name}_"]) for name in ("q", "k", "v")),
        helper.make_node("Transpose", ["k_"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q_", "kt"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "v_"], ["mixed"]),
        helper.make_node("LayerNormalization", ["mixed", "one", "zero"], ["normal"]),
        helper.make_node("ReduceMean", ["normal", "axis"], ["y"], keepdims=0),
    ]
    arrays = {name: array.astype(np.float32) for name, array in weights.items()} | {"axis": np.array([1])}
    return model_of(nodes, VALUE("ids", TensorProto.INT64, ["N", "T"]), width, arrays)


def forest(random: np.random.Generator) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """A model, rows, and what scikit-learn gives for them."""
    x = random.normal(size=(300, 30)).astype(np.float32)
    fitted = RandomForestClassifier(20, max_depth=8, random_state=0).fit(x, x[:, 0] > 0)
    model = to_onnx(fitted, x[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3})
    return model, x[:5], fitted.predict_proba(x[:5])


TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": {"good": 3, "[UNK]": 0}, "unk_token": "[UNK]"},
}


def test_reference_models_run_from_the_package(built: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    trees, rows, probabilities = forest(random)
    pictures, ids = random.random((2, 1, 28, 28)).astype(np.float32), random.integers(0, 50, (2, 7))
    cases = {"forest": (trees, rows), "cnn": (cnn(random), pictures), "transformer": (transformer(random), ids)}
    for name, (model, feed) in cases.items():
        (tmp_path / f"{name}.onnx").write_bytes(model.SerializeToString())
        (tmp_path / f"{name}.json").write_text(json.dumps(feed.tolist()))
    (tmp_path / "tokenizer.json").write_text(json.dumps(TOKENIZER))

    command = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-B", "-c", PROGRAM]
    argument = json.dumps([[str(built / layer / "python") for layer in ("OnnxLayer", "CoreLayer")], str(tmp_path)])
    result = subprocess.run([*command, argument], env={}, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    outputs = json.loads(result.stdout)
    np.testing.assert_allclose(outputs["forest"], probabilities, atol=1e-6)
    np.testing.assert_allclose(np.sum(outputs["cnn"], axis=1), 1, atol=1e-5)
    assert np.shape(outputs["transformer"]) == (2, 16)
    assert [outputs[form] for form in ("PNG", "JPEG", "WEBP")] == [
        pytest.approx([200, 10, 10], abs=6) for _ in range(3)
    ]
    assert outputs["ids"] == [3, 0]
