"""`server.py MODEL PATH PORT`: a custom model on KServe's own server, HTTP only, one worker, no access log."""

import logging
import sys

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.numpy_codec import from_np_dtype
from plain import Plain


class Onnx(Model):
    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self._model = Plain(name, path)
        self.ready = True

    def predict(self, payload: InferRequest, *_headers: object, **_others: object) -> InferResponse:
        arrays = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
        outputs = []
        for name, array in zip(self._model.outputs, self._model.run(arrays), strict=True):
            output = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
            output.set_data_from_numpy(array, binary_data=payload.use_binary_outputs)
            outputs.append(output)
        return InferResponse(
            payload.id or "",
            self.name,
            outputs,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )


if __name__ == "__main__":
    name, path, port = sys.argv[1:]
    logging.disable(logging.INFO)
    ModelServer(http_port=int(port), enable_grpc=False, workers=1, access_log_format=None).start([Onnx(name, path)])
