"""The body of an infer call: JSON, and behind it the bytes of tensors.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and the extensions
https://github.com/triton-inference-server/server/tree/main/docs/protocol (binary_tensor_data, classification)
"""

from typing import Any, NamedTuple

import numpy as np
import orjson

from modelmill.errors import InvalidRequest, MalformedRequest, TooLarge
from modelmill.serving.tensor_plan import TensorInput, TensorOutput, TensorPlan
from modelmill.serving.tensors import MISFITS, Array, Tensors, first_misfit, flat
from modelmill.web.content_encoding import decoded
from modelmill.web.events import Request
from modelmill.web.large_json import SMALLEST, LargeJson
from modelmill.web.predict_body import MAX_BODY_BYTES

# What a compressed body may come to, of which MAX_BODY_BYTES may be JSON.
MAX_DECODED_BYTES = 16_000_000
MAX_ID = 1000
MAX_SHOWN = 80

_BINARY_SIZE = "binary_data_size"
_AS_BYTES = "a tensor with missing values goes as binary data"


class InferBody(NamedTuple):
    """What an infer call asks for; `batch` counts what it has the model predict."""

    tensors: Tensors
    batch: int
    outputs: list[TensorOutput]
    id: str | None = None


class InferBodies:
    """Reads bodies, one at a time."""

    def __init__(self) -> None:
        self._large = LargeJson()

    def read(self, request: Request, plan: TensorPlan) -> InferBody:
        """The body of `POST /v2/models/{model}/infer`.

        Raises:
            UnsupportedMediaType, TooLarge, MalformedRequest, InvalidRequest.
        """
        headers, body = request.headers, request.body
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"the body has {len(body)} bytes, at most {MAX_BODY_BYTES} are read; send fewer at once")
        if coding := headers.get("content-encoding"):
            body = decoded(coding, body, MAX_DECODED_BYTES)
        sent_length = headers.get("inference-header-content-length")
        if sent_length is None:
            return _asked(self._parse(body, plan), plan, memoryview(b""))
        length = _header_length(sent_length, len(body))
        if length == 0:
            return _raw(body, plan)
        return _asked(self._parse(body[:length], plan), plan, memoryview(body)[length:])

    def _parse(self, text: bytes, plan: TensorPlan) -> Any:
        if len(text) >= SMALLEST:
            if len(text) > MAX_BODY_BYTES:
                raise TooLarge(
                    f"the JSON has {len(text)} bytes, at most {MAX_BODY_BYTES} are read; send data as binary"
                )
            document = self._large.read(text, plan)
            if document is not None:
                return document
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _unreadable(text, error) from error


def _header_length(sent: str, size: int) -> int:
    if not (sent.isascii() and sent.isdecimal() and len(sent) < 10):
        raise MalformedRequest(f"inference-header-content-length must be a number of bytes, got {sent[:MAX_SHOWN]!r}")
    if int(sent) > size:
        raise MalformedRequest(f"inference-header-content-length is {sent}, but the body has only {size} bytes")
    return int(sent)


def _unreadable(text: bytes, error: orjson.JSONDecodeError) -> MalformedRequest:
    if not text:
        return MalformedRequest('the body is empty; send {"inputs": […]}')
    hint = f"JSON has no NaN and no Infinity; {_AS_BYTES}" if b"NaN" in text or b"Infinity" in text else ""
    hint = hint or "with binary data behind it, tell its length as Inference-Header-Content-Length"
    return MalformedRequest(f"the body is not JSON: {error} ({hint})")


def _raw(body: bytes, plan: TensorPlan) -> InferBody:
    """A body that is the data of the only input; all outputs are asked for as bytes."""
    slot = plan.only_input
    if slot is None:
        raise InvalidRequest(f"a body without JSON is for models of one input; this one has {_names(plan.inputs)}")
    is_text = slot.datatype == "BYTES"
    array = _from_values(slot, [_text(body)]) if is_text else _from_bytes(slot, memoryview(body))
    shape = slot.shape_of(array.size)
    batch = shape[0] if slot.batched else 1
    return InferBody({slot.name: array.reshape(shape)}, batch, plan.as_bytes)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("the body is not UTF-8, in which this model takes text") from error


def _asked(document: Any, plan: TensorPlan, binary: memoryview) -> InferBody:
    if type(document) is not dict:
        raise InvalidRequest('the JSON must be an object such as {"inputs": […]}')
    tensors, batch = _tensors(document.get("inputs"), plan, binary)
    return InferBody(tensors, batch, _outputs(document, plan), _id(document.get("id")))


def _tensors(inputs: Any, plan: TensorPlan, binary: memoryview) -> tuple[Tensors, int]:
    if type(inputs) is not list or not inputs:
        raise InvalidRequest(f"'inputs' must be an array of tensors; the model takes {_names(plan.inputs)}")
    tensors: Tensors = {}
    batch, place = 1, 0
    for given in inputs:
        slot = _slot(given, plan)
        if slot.name in tensors:
            raise InvalidRequest(f"input {slot.name!r} is there twice")
        if given.get("datatype") != slot.datatype:
            raise _bad_datatype(slot, given.get("datatype"))
        shape = given.get("shape")
        elements = slot.elements(shape)
        data = given.get("data")
        if data is None:
            size = _binary_size(given, slot, len(binary) - place)
            array = _from_bytes(slot, binary[place : place + size])
            place += size
        else:
            array = data if type(data) is np.ndarray else _from_values(slot, data)
        tensors[slot.name] = _shaped(array, elements, shape, slot)
        if slot.batched and shape[0] > batch:
            batch = shape[0]
    if len(tensors) < len(plan.inputs):
        _check_missing(tensors, plan)
    if place < len(binary):
        raise InvalidRequest(f"{len(binary) - place} bytes behind the JSON belong to no input; see '{_BINARY_SIZE}'")
    return tensors, batch


def _slot(given: Any, plan: TensorPlan) -> TensorInput:
    if type(given) is not dict:
        raise InvalidRequest("each of 'inputs' must be an object with name, shape, datatype and data")
    name = given.get("name")
    slot = plan.inputs.get(name) if type(name) is str else None
    if slot is None:
        raise InvalidRequest(f"the model has no input {_shown(name)}; it takes {_names(plan.inputs)}")
    return slot


def _bad_datatype(slot: TensorInput, got: Any) -> InvalidRequest:
    hint = "; BF16 is not supported, send FP32 to a model that takes it" if got == "BF16" else ""
    return InvalidRequest(f"datatype of input {slot.name!r}: got {_shown(got)}, expected '{slot.datatype}'{hint}")


def _binary_size(given: dict[str, Any], slot: TensorInput, left: int) -> int:
    parameters = given.get("parameters")
    size = parameters.get(_BINARY_SIZE) if type(parameters) is dict else None
    if size is None:
        message = (
            f"input {slot.name!r} has neither 'data' nor the parameter '{_BINARY_SIZE}' (there is no shared memory)"
        )
        raise InvalidRequest(message)
    if type(size) is not int or not 0 <= size <= left:
        message = (
            f"'{_BINARY_SIZE}' of input {slot.name!r} is {_shown(size)}, but {left} bytes are left behind the JSON"
        )
        raise InvalidRequest(message)
    return size


def _from_bytes(slot: TensorInput, content: memoryview) -> Array:
    try:
        return slot.codec.from_bytes(content)
    except MISFITS as error:
        message = f"the {len(content)} bytes of input {slot.name!r} are not {slot.datatype} data: {error}"
        raise InvalidRequest(message) from error


def _from_values(slot: TensorInput, data: Any) -> Array:
    if type(data) is not list:
        raise InvalidRequest(f"data of input {slot.name!r} must be an array, got {_shown(data)}")
    try:
        return slot.codec.from_values(data)
    except MISFITS:
        values = flat(data)
    try:
        return slot.codec.from_values(values)
    except MISFITS as error:
        place = first_misfit(slot.codec, values)
        got = f"element {place} of input {slot.name!r} is {_shown(values[place])}"
        hint = f"; {_AS_BYTES}" if values[place] is None and slot.codec.dtype.kind == "f" else ""
        raise InvalidRequest(f"{got}; {slot.datatype} takes {slot.codec.expected}{hint}") from error


def _shaped(array: Array, elements: int, shape: list[int], slot: TensorInput) -> Array:
    if array.size != elements:
        message = f"data of input {slot.name!r}: got {array.size} elements, expected {elements} for the shape {shape}"
        raise InvalidRequest(message)
    try:
        return array.reshape(shape)
    except ValueError as error:  # no elements, but dimensions whose product numpy cannot hold
        raise slot.refuse_shape(shape) from error


def _check_missing(tensors: Tensors, plan: TensorPlan) -> None:
    missing = [slot.name for slot in plan.inputs.values() if slot.required and slot.name not in tensors]
    if missing:
        raise InvalidRequest(f"inputs are missing: {', '.join(map(repr, missing))[:1000]}")


def _outputs(document: dict[str, Any], plan: TensorPlan) -> list[TensorOutput]:
    parameters = document.get("parameters")
    binary = _flag(parameters, "binary_data_output", default=False) if parameters else False
    every = plan.as_bytes if binary else plan.as_json
    wanted = document.get("outputs")
    if not wanted:
        return every
    if type(wanted) is not list:
        raise InvalidRequest("'outputs' must be an array of objects with a name")
    chosen = {}
    for asked in wanted:
        output = _output(asked, plan, binary)
        if output.name in chosen:
            raise InvalidRequest(f"output {output.name!r} is asked for twice")
        chosen[output.name] = output
    return list(chosen.values())


def _output(asked: Any, plan: TensorPlan, binary: bool) -> TensorOutput:
    name = asked.get("name") if type(asked) is dict else None
    output = plan.outputs.get(name) if type(name) is str else None
    if output is None:
        raise InvalidRequest(f"the model has no output {_shown(name)}; it gives {_names(plan.outputs)}")
    parameters = asked.get("parameters")
    if not parameters:
        return output._replace(binary=binary)
    binary = _flag(parameters, "binary_data", default=binary)
    return output._replace(binary=binary, classes=_classes(parameters.get("classification"), output))


def _flag(parameters: Any, name: str, *, default: bool) -> bool:
    if type(parameters) is not dict:
        raise InvalidRequest("'parameters' must be an object")
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise InvalidRequest(f"the parameter '{name}' must be true or false, got {_shown(value)}")
    return value


def _classes(count: Any, output: TensorOutput) -> int:
    if count is None:
        return 0
    if type(count) is not int or count < 1:
        raise InvalidRequest(f"the parameter 'classification' must be a number of classes, got {_shown(count)}")
    if output.datatype in ("BOOL", "BYTES"):
        raise InvalidRequest(f"output {output.name!r} of {output.datatype} has no values to rank; classify by another")
    return count


def _id(sent: Any) -> str | None:
    if sent is not None and (type(sent) is not str or len(sent) > MAX_ID):
        raise InvalidRequest(f"'id' must be a string of at most {MAX_ID} characters")
    return sent


def _names(known: dict[str, Any]) -> str:
    text = ", ".join(map(repr, known))
    return text if len(text) <= MAX_ID else f"{text[:MAX_ID]}…"


def _shown(value: Any) -> str:
    """A value as JSON, cut."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = orjson.dumps(value).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
