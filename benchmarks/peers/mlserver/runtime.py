"""A runtime for MLServer (https://mlserver.readthedocs.io): tensors in, tensors out."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from plain import Plain


class Onnx(MLModel):
    async def load(self) -> bool:
        self._model = Plain(self.name, self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        arrays = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        arrays = {name: array.astype(self._model.inputs[name], copy=False) for name, array in arrays.items()}
        outputs = [
            StringCodec.encode_output(name, array.tolist())
            if array.dtype == object
            else NumpyCodec.encode_output(name, array)
            for name, array in zip(self._model.outputs, self._model.run(arrays), strict=True)
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
