"""Inputs that nobody sent, to see whether a model runs at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from modelmill.models.signature import Tensor
from modelmill.serving.tensors import CODECS, Array, Tensors

# What variable dimensions may be, besides the batch. Models of text take most, of pictures few.
SIZES = (8, 1, 2, 4, 16, 32, 64, 128, 224, 256, 512)
# Of pictures with variable channels, these and the sides.
PICTURES = ((3, 32), (3, 224), (1, 28))
# Indices are in range with zeros; counts, lengths and sizes are none with them.
WHOLE_NUMBERS = (0, 1)
MAX_ELEMENTS = 64 * 1024 * 1024


type Words = dict[str, dict[int, str]]


@dataclass(frozen=True, slots=True)
class Guess:
    """What stands in for everything that is variable.

    picture: the axis of the channels and how many, in rank 4. words: texts by input and column
    (-1: all), where not every text will do.
    """

    size: int
    number: int
    words: Words
    picture: tuple[int, int] | None = None

    def tensors(self, inputs: list[Tensor], batch: int) -> Tensors | None:
        """Arrays of these inputs, None where they would be too large."""
        shapes = {tensor.name: self._shape(tensor.shape, batch) for tensor in inputs}
        if sum(map(prod, shapes.values())) > MAX_ELEMENTS:
            return None
        random = np.random.default_rng(0)
        return {tensor.name: self._array(tensor, shapes[tensor.name], random) for tensor in inputs}

    def _shape(self, shape: list[int], batch: int) -> list[int]:
        sizes = [size if size >= 0 else self.size for size in shape]
        if shape[:1] == [-1]:
            sizes[0] = batch
        if self.picture and len(shape) == 4 and shape[self.picture[0]] == -1:
            sizes[self.picture[0]] = self.picture[1]
        return sizes

    def _array(self, tensor: Tensor, shape: list[int], random: np.random.Generator) -> Array:
        dtype = CODECS[tensor.datatype].dtype
        if dtype.kind == "f":
            return random.normal(size=shape).astype(dtype)
        if dtype.kind == "O":
            texts = np.full(shape, "", dtype)
            for column, word in sorted(self.words.get(tensor.name, {}).items()):
                texts[... if column < 0 or not shape or column >= shape[-1] else (..., column)] = word
            return texts
        return np.full(shape, self.number, dtype)


def guesses(inputs: list[Tensor], words: Words) -> Iterator[Guess]:
    """What to try, the likeliest first; one of each that makes a difference."""
    free = any(-1 in tensor.shape[1:] for tensor in inputs)
    numbers = WHOLE_NUMBERS if any(CODECS[tensor.datatype].dtype.kind in "iub" for tensor in inputs) else (0,)
    for number, size in product(numbers, SIZES if free else SIZES[:1]):
        yield Guess(size, number, words)
    if any(len(tensor.shape) == 4 and -1 in (tensor.shape[1], tensor.shape[3]) for tensor in inputs):
        for axis, (channels, side) in product((1, 3), PICTURES):
            yield Guess(side, numbers[0], words, (axis, channels))


def describe(tensors: dict[str, Any]) -> str:
    """The shapes, for messages."""
    return ", ".join(f"{name[:80]} {list(array.shape)}" for name, array in list(tensors.items())[:10])
