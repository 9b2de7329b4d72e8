"""Why a bundle is not taken in."""

# Every code and what it means to the owner of the model.
REJECTIONS = {
    "unsupported_format": "the file is not ONNX, or not all of it",
    "external_data": "the file keeps weights in other files",
    "unsupported_onnx": "the IR version, an operator set or an operator is not one that is served",
    "model_too_complex": "more nodes, nesting, functions, inputs or elements than are taken",
    "signature_unsupported": "an input or output cannot be sent or answered: its type, its name",
    "labels_mismatch": "the labels of the upload do not fit the model's outputs",
    "probe_failed": "the model does not load or does not run",
    "probe_timeout": "the model does not load and run in the time that it gets",
    "bundle_too_large": "the files are larger than what is served",
    "artifact_missing": "training left no such file",
    "artifact_corrupt": "a file is not what training said it is",
    "signature_invalid": "training left a signature that does not add up",
}


class BundleRejected(Exception):
    """A bundle that must not be served: one of REJECTIONS, and a sentence for the owner of the model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
