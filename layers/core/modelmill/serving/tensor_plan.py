"""What a model takes and gives, worked out once when it is loaded, so that a request is checked in few steps."""

from math import prod
from typing import Any, NamedTuple

from modelmill.errors import InvalidRequest
from modelmill.models.signature import Datatype, Signature, Tensor
from modelmill.serving.tensors import CODECS, TensorCodec

LARGEST_DIMENSION = 2**31 - 1


class TensorInput:
    """An input of the graph. `batched`: its first dimension is variable."""

    __slots__ = ("_limits", "batched", "codec", "datatype", "name", "required", "shape")

    def __init__(self, tensor: Tensor, required: bool) -> None:
        self.name = tensor.name
        self.datatype = tensor.datatype
        self.shape = tensor.shape
        self.codec: TensorCodec = CODECS[tensor.datatype]
        self.required = required
        self.batched = tensor.shape[:1] == [-1]
        self._limits = [(size, size) if size >= 0 else (0, LARGEST_DIMENSION) for size in tensor.shape]
        if self.batched:
            self._limits[0] = (1, LARGEST_DIMENSION)

    def elements(self, shape: Any) -> int:
        """How many elements a tensor of this shape has.

        Raises:
            InvalidRequest: the input takes no such shape.
        """
        if type(shape) is not list or len(shape) != len(self._limits):
            raise self.refuse_shape(shape)
        count = 1
        for size, (lowest, highest) in zip(shape, self._limits, strict=True):
            if type(size) is not int or not lowest <= size <= highest:
                raise self.refuse_shape(shape)
            count *= size
        return count

    def shape_of(self, elements: int) -> list[int]:
        """The shape that this many elements have; of two variable dimensions the first, the batch, is 1.

        Raises:
            InvalidRequest: there is none, or it cannot be told.
        """
        shape = list(self.shape)
        if shape.count(-1) > 1 and self.batched:
            shape[0] = 1
        if shape.count(-1) > 1:
            raise InvalidRequest(
                f"input {self.name!r} has several variable dimensions; tell its shape in a JSON header"
            )
        known = prod(size for size in shape if size >= 0)
        if -1 in shape and known:
            shape[shape.index(-1)] = elements // known
        if prod(shape) != elements or -1 in shape or (self.batched and not shape[0]):
            raise InvalidRequest(f"{elements} elements do not fill input {self.name!r} of shape {self.shape}")
        return shape

    def refuse_shape(self, shape: Any) -> InvalidRequest:
        """The error for a shape that the input does not take."""
        got = f"got {str(shape)[:200]}, " if shape is not None else ""
        least = "; the first dimension is at least 1" if self.batched else ""
        return InvalidRequest(
            f"shape of input {self.name!r}: {got}expected whole numbers {self.shape} (-1 takes any size{least})"
        )


class TensorOutput(NamedTuple):
    """An output and how it is wanted: as bytes or JSON; `classes`: only so many of the highest, 0 wants all of it."""

    name: str
    datatype: Datatype
    codec: TensorCodec
    binary: bool = False
    classes: int = 0


class TensorPlan:
    """All inputs and outputs by name, in the order of the signature.

    as_json, as_bytes: every output, in that form.
    class_output: the output whose places along the last dimension are `labels`, None where nothing is classified.
    """

    __slots__ = ("as_bytes", "as_json", "class_output", "inputs", "labels", "only_input", "outputs")

    def __init__(self, signature: Signature, labels: list[str] | None, required: frozenset[str]) -> None:
        """`required`: the inputs that have no default of their own in the graph."""
        self.inputs = {tensor.name: TensorInput(tensor, tensor.name in required) for tensor in signature.inputs}
        outputs = [TensorOutput(tensor.name, tensor.datatype, CODECS[tensor.datatype]) for tensor in signature.outputs]
        self.outputs = {output.name: output for output in outputs}
        self.as_json = outputs
        self.as_bytes = [output._replace(binary=True) for output in outputs]
        self.only_input = next(iter(self.inputs.values())) if len(self.inputs) == 1 else None
        self.labels = labels
        self.class_output = signature.outputs[-1].name if labels else None
