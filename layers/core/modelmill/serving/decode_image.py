"""Decode: pictures of a request to pixels, resized just as they were in training."""

from typing import Any

import numpy as np
import pybase64

from modelmill.datasets.pictures import BadPicture, open_picture, pixels
from modelmill.errors import FieldError, SignatureMismatch
from modelmill.models.signature import Signature
from modelmill.serving.mismatch import MAX_ERRORS, json_name
from modelmill.serving.tensors import Array, Tensors

KEY = "image"


class ImageDecoder:
    """Instances to `pixels` uint8 [N, height, width, channels]."""

    def __init__(self, signature: Signature) -> None:
        self._name = signature.inputs[0].name
        self._height, self._width, self._channels = signature.inputs[0].shape[1:]

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensor of objects `{"image": base64}`, or of bare base64 strings.

        Raises:
            SignatureMismatch: names the instances that are no pictures.
        """
        found, errors = [], []
        for number, instance in enumerate(instances):
            try:
                found.append(self.read(_content(instance)))
            except (BadPicture, TypeError) as error:
                errors.append(FieldError(f"instances[{number}]", str(error)))
                if len(errors) == MAX_ERRORS:
                    break
        if errors:
            told = "; ".join(f"{error.field} {error.message}" for error in errors[:3])
            raise SignatureMismatch(told, errors=tuple(errors))
        return {self._name: np.stack(found)}

    def read(self, content: bytes) -> Array:
        """[height, width, channels] of a PNG, JPEG or WebP file.

        Raises:
            BadPicture: it is none.
        """
        return pixels(open_picture(content), self._height, self._width, self._channels)


def _content(instance: Any) -> bytes:
    """The file: of base64 in JSON, or the body of a request itself."""
    if type(instance) is bytes:
        return instance
    text = instance[KEY] if type(instance) is dict and instance.keys() == {KEY} else instance
    if type(text) is not str:
        raise TypeError(
            f'must be {{"{KEY}": "…"}} with a picture in base64, or the base64 alone, got {json_name(text)}'
        )
    try:
        return pybase64.b64decode(text.rpartition(",")[2] if text.startswith("data:") else text, validate=True)
    except ValueError as error:
        raise TypeError("is not base64; encode the bytes of a PNG, JPEG or WebP file") from error
