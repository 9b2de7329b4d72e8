"""Uploaded ONNX files from several tools: what is read of them, what serves, and what is refused with which word."""

import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelmill.models.admission import AdmittedBundle, admit_upload
from modelmill.models.manifest import MODEL_FILE, SERVING_FILE, WEIGHTS_FILE, Manifest
from modelmill.models.rejection import REJECTIONS, BundleRejected
from modelmill.serving.load import LoadedModel, open_model
from tests.bundles import model_of

VALUE = helper.make_tensor_value_info
FLOAT = TensorProto.FLOAT
ROWS = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)


def admitted(folder: Path, model: onnx.ModelProto | bytes, labels: list[str] | None = None) -> AdmittedBundle:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    (folder / MODEL_FILE).write_bytes(content)
    return admit_upload(folder, labels)


def loaded(folder: Path, manifest: Manifest) -> LoadedModel:
    return open_model(manifest, folder)


def refusal(folder: Path, model: onnx.ModelProto | bytes, labels: list[str] | None = None) -> str:
    with pytest.raises(BundleRejected) as caught:
        admitted(folder, model, labels)
    assert caught.value.code in REJECTIONS
    assert str(folder) not in caught.value.message
    return caught.value.code


def shapes(manifest: Manifest) -> dict[str, list[tuple[str, str, list[int]]]]:
    signature = manifest.signature
    return {
        kind: [(tensor.name, tensor.datatype, tensor.shape) for tensor in tensors]
        for kind, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }


@pytest.mark.parametrize("classes", [["no", "yes"], [3, 7, 9]])
@pytest.mark.parametrize("options", [None, {"zipmap": False}])
def test_classifiers_of_scikit_learn_serve_with_their_labels(tmp_path: Path, classes: list, options: dict | None):
    target = np.array(classes)[np.arange(80) % len(classes)]
    fitted = RandomForestClassifier(5, random_state=0).fit(ROWS, target)
    manifest = admitted(tmp_path, to_onnx(fitted, ROWS[:1], options=options)).manifest

    model = loaded(tmp_path, manifest)
    outputs = model.session.run(model.encode.outputs, model.decode(ROWS[:5].tolist()))
    predictions = model.encode.predictions(outputs, len(outputs[0]))

    assert manifest.labels == [str(label) for label in classes]
    assert manifest.task == ("binary" if len(classes) == 2 else "multiclass")
    assert [each["label"] for each in predictions] == [str(label) for label in fitted.predict(ROWS[:5])]
    given = [list(each["probabilities"].values()) for each in predictions]
    np.testing.assert_allclose(given, fitted.predict_proba(ROWS[:5]), atol=1e-6)


def test_a_pipeline_of_numbers_and_strings_keeps_its_inputs(tmp_path: Path):
    pipeline = make_pipeline(ColumnTransformer([("hot", OneHotEncoder(), [0])]), LogisticRegression())
    pipeline.fit(np.array([["a"], ["b"], ["c"], ["a"]]), [0, 1, 1, 0])
    model = to_onnx(pipeline, initial_types=[("word", StringTensorType([None, 1]))])

    manifest = admitted(tmp_path, model).manifest

    assert shapes(manifest)["inputs"] == [("word", "BYTES", [-1, 1])]
    assert manifest.labels == ["0", "1"]


def test_a_regression_gives_its_output_by_name(tmp_path: Path):
    fitted = LinearRegression().fit(ROWS, ROWS[:, 0])
    manifest = admitted(tmp_path, to_onnx(fitted, initial_types=[("x", FloatTensorType([None, 4]))])).manifest

    model = loaded(tmp_path, manifest)
    outputs = model.session.run(model.encode.outputs, model.decode([{"x": row} for row in ROWS[:3].tolist()]))

    assert (manifest.task, manifest.labels, manifest.algorithm) == (None, None, "uploaded")
    np.testing.assert_allclose(
        [each["variable"][0] for each in model.encode.predictions(outputs, len(outputs[0]))], ROWS[:3, 0], atol=1e-4
    )


def dense(classes: int = 10, width: int = 784, datatype: int = FLOAT) -> onnx.ModelProto:
    """What Keras and PyTorch write for a small network: a batch of any size, scores without labels."""
    dtype = helper.tensor_dtype_to_np_dtype(datatype)
    weights = np.random.default_rng(1).normal(size=(width, classes)).astype(dtype)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node("Softmax", ["s"], ["y"], axis=1)]
    inputs, outputs = [VALUE("x", datatype, ["batch", width])], [VALUE("y", datatype, ["batch", classes])]
    return model_of(nodes, inputs, outputs, [numpy_helper.from_array(weights, "w")])


def test_labels_of_the_upload_name_the_scores(tmp_path: Path):
    labels = [f"digit {place}" for place in range(10)]

    manifest = admitted(tmp_path, dense(), labels).manifest

    assert (manifest.labels, manifest.task) == (labels, "multiclass")
    assert refusal(tmp_path_with(tmp_path, "few"), dense(), labels[:3]) == "labels_mismatch"


def tmp_path_with(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def test_large_weights_get_a_file_of_their_own_and_give_the_same(tmp_path: Path):
    manifest = admitted(tmp_path, dense(classes=600)).manifest
    x = np.random.default_rng(2).normal(size=(3, 784)).astype(np.float32)

    original = ort.InferenceSession(tmp_path / MODEL_FILE).run(None, {"x": x})
    served = loaded(tmp_path, manifest).session.run(None, {"x": x})

    assert {SERVING_FILE, WEIGHTS_FILE, MODEL_FILE} == manifest.files.keys()
    np.testing.assert_allclose(served[0], original[0], rtol=1e-5)


@pytest.mark.parametrize("opset", [7, 13, 21])
@pytest.mark.parametrize("datatype", [FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_datatypes_and_opsets(tmp_path: Path, opset: int, datatype: int):
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    graph = helper.make_graph(nodes, "g", [VALUE("x", datatype, ["N", 3])], [VALUE("y", datatype, ["N", 3])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7)

    manifest = admitted(tmp_path, model).manifest

    expected = {FLOAT: "FP32", TensorProto.FLOAT16: "FP16", TensorProto.DOUBLE: "FP64"}[datatype]
    assert shapes(manifest)["inputs"] == [("x", expected, [-1, 3])]


def test_functions_are_taken(tmp_path: Path):
    function = helper.make_function(
        "own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 18)]
    )
    nodes = [helper.make_node("Twice", ["x"], ["y"], domain="own")]
    graph = helper.make_graph(nodes, "g", [VALUE("x", FLOAT, ["N", 2])], [VALUE("y", FLOAT, ["N", 2])])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]

    model = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=8)

    assert admitted(tmp_path, model).manifest.signature.outputs[0].shape == [-1, 2]


def test_a_tensor_that_nobody_can_send_is_refused(tmp_path: Path):
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)]
    model = model_of(nodes, [VALUE("x", FLOAT, ["N"])], [VALUE("y", TensorProto.BFLOAT16, ["N"])])

    assert refusal(tmp_path, model) in ("signature_unsupported", "unsupported_onnx")


def test_a_model_that_onnxruntime_refuses(tmp_path: Path):
    nodes = [helper.make_node("NoSuchOperator", ["x"], ["y"])]

    assert (
        refusal(tmp_path, model_of(nodes, [VALUE("x", FLOAT, ["N"])], [VALUE("y", FLOAT, ["N"])])) == "unsupported_onnx"
    )


def test_a_bomb_is_refused_and_the_parent_lives(tmp_path: Path):
    shape = numpy_helper.from_array(np.array([10_000_000_000]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    model = model_of(nodes, [VALUE("x", FLOAT, ["N"])], [VALUE("y", FLOAT, ["N"])], [shape])

    assert refusal(tmp_path, model) in ("model_too_complex", "probe_failed", "unsupported_onnx")


def test_changed_files_are_admitted_or_refused_and_nothing_else(tmp_path: Path):
    good, generator = dense(classes=3, width=5).SerializeToString(), random.Random(0)
    for turn in range(12):
        content = bytearray(good)
        for _ in range(generator.randint(1, 4)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        cut = generator.choice([len(content), generator.randrange(1, len(content))])
        folder = tmp_path_with(tmp_path, str(turn))
        try:
            result = admitted(folder, bytes(content[:cut])).manifest.kind
        except BundleRejected as rejected:
            result = rejected.code
        assert result in {"tensor", *REJECTIONS}
