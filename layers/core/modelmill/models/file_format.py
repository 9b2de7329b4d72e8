"""What a file that is not ONNX looks like, by its first and last bytes, and how its owner gets ONNX instead."""

import re

_LOOKED_AT = 256 * 1024

_TORCH = "export the module with torch.onnx.export(model, inputs, 'model.onnx', external_data=False)"
_KERAS = "load it with Keras and call model.export('model.onnx', format='onnx')"
_SKLEARN = "convert the estimator with skl2onnx: to_onnx(model, X[:1]).SerializeToString()"
_TENSORFLOW = "convert it with 'python -m tf2onnx.convert --saved-model FOLDER --output model.onnx'"
_TFLITE = "convert it with 'python -m tf2onnx.convert --tflite FILE --output model.onnx'"
_BOOSTED = "convert the booster with onnxmltools, convert_xgboost or convert_lightgbm"
_PICKLE = "pickles are never opened; " + _SKLEARN
_ARCHIVE = "unpack it and upload the .onnx file that it holds, or export one"
_UPLOAD = "upload the .onnx file itself"

# What the start of a file matches, what that is, and what to do. The first match counts.
_STARTS: list[tuple[re.Pattern[bytes], str, str]] = [
    (re.compile(start, re.DOTALL), what, remedy)
    for start, what, remedy in (
        (rb"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes with .h5", _KERAS),
        (rb"\x93NUMPY", "a NumPy array", _UPLOAD),
        (rb"\x80[\x02-\x05]", "a Python pickle", _PICKLE),
        (rb"(?:\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|7z\xbc\xaf)", "a compressed file", _ARCHIVE),
        (rb"x[\x01\x5e\x9c\xda]", "compressed data, as joblib writes", _PICKLE),
        (rb"....ORTM", "an onnxruntime .ort file", "upload the .onnx file that it was made of"),
        (rb"....TFL3", "a TensorFlow Lite model", _TFLITE),
        (rb"GGUF|GGML|ggjt", "a GGUF file of a language model", "only ONNX models are served"),
        (rb".{6}\0\0\{\"", "a safetensors file, which holds weights and no graph", _TORCH),
        (rb".{257}ustar", "a tar archive", _ARCHIVE),
        (
            rb"version https://git-lfs",
            "a Git LFS pointer and not the file behind it",
            "run 'git lfs pull' and upload again",
        ),
        (rb"tree\nversion=", "a LightGBM text model", _BOOSTED),
        (rb"(?:binf|bs64)|\{L.{8}", "an XGBoost model", _BOOSTED),
        (rb"(?:\xef\xbb\xbf)?\s*[\[{]\s*[\"\[{\]}]", "JSON text, as XGBoost writes", _BOOSTED),
        (
            rb"(?:\xef\xbb\xbf)?\s*<\s*ir_version",
            "ONNX in its text form",
            "save it with onnx.save(onnx.parser.parse_model(text), 'model.onnx')",
        ),
        (rb"(?:\xef\xbb\xbf)?\s*<", "XML or HTML text", _UPLOAD),
        (rb"\x7fELF|MZ|#!", "a program", _UPLOAD),
    )
]
# The same for names that archives hold.
_IN_ZIPS: list[tuple[bytes, str, str]] = [
    (b"model.weights.h5", "a .keras archive", _KERAS),
    (b"data.pkl", "a PyTorch file (.pt, .pth)", _TORCH),
    (b"constants.pkl", "a TorchScript file", _TORCH),
    (b"saved_model.pb", "a zipped TensorFlow SavedModel", _TENSORFLOW),
    (b".npy", "an .npz archive of NumPy arrays", _UPLOAD),
    (b".onnx", "a zip archive", "upload the .onnx file in it by itself, its weights inside (onnx.save does that)"),
]
_SAVED_MODEL = re.compile(rb"__saved_model_init_op|saved_model_main_op|serving_default|StatefulPartitionedCall")


def describe(content: bytes) -> tuple[str, str] | None:
    """What the bytes look like and what to do; None where they may well be ONNX."""
    if not content:
        return "empty", "export the model again and look at the file's size"
    if content.startswith(b"PK\x03\x04"):
        return _zip(content)
    for start, what, remedy in _STARTS:
        if start.match(content):
            return what, remedy
    # A SavedModel starts as an ONNX file of version 1 would, of which there are none.
    if content.startswith(b"\x08\x01\x12") and _SAVED_MODEL.search(_ends(content)):
        return "a TensorFlow SavedModel", _TENSORFLOW
    return None


def _zip(content: bytes) -> tuple[str, str]:
    ends = _ends(content)
    for name, what, remedy in _IN_ZIPS:
        if name in ends:
            return what, remedy
    return "a zip archive", _ARCHIVE


def _ends(content: bytes) -> bytes:
    return content[:_LOOKED_AT] + content[-_LOOKED_AT:]
