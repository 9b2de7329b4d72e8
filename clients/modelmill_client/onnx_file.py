"""What can be seen of a model file before it is sent: its size, and what its first bytes say that it is instead."""

from pathlib import Path

from modelmill_client.errors import InvalidInput
from modelmill_client.upload import check_file

# The server's cap; there it is part of the form, and the storage keeps it.
MAX_MODEL_BYTES = 250 * 1024 * 1024

# Where the bytes start, the bytes, and what such a file is. ONNX itself is Protocol Buffers, which have no such bytes.
_OTHERS = (
    (0, b"PK\x03\x04", "a zip archive, such as a .keras, .npz or PyTorch file"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5, such as a .h5 file of Keras"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x1f\x8b", "compressed with gzip"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    *((0, bytes([0x80, protocol]), "a pickle, such as a joblib or PyTorch file") for protocol in range(2, 6)),
)
_FIRST_BYTES = 16


def check_onnx_file(path: Path) -> None:
    """Pass for what may be an ONNX file; only the server can tell whether it is one that can be served.

    Raises:
        InvalidInput: there is no such file, it is empty or too large, or of another known format.
    """
    size = check_file(path, "an ONNX model")
    if size > MAX_MODEL_BYTES:
        raise InvalidInput(f"{path} has {size} bytes, at most {MAX_MODEL_BYTES} are taken; export a smaller model")
    with path.open("rb") as file:
        head = file.read(_FIRST_BYTES)
    for start, mark, what in _OTHERS:
        if head.startswith(mark, start):
            raise InvalidInput(f"{path} is {what}, expected an ONNX file: export the model to ONNX and upload that")
