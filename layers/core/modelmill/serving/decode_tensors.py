"""Decode: instances of named, nested values to the tensors of an uploaded model."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from modelmill.errors import FieldError, SignatureMismatch
from modelmill.models.signature import Signature
from modelmill.serving.mismatch import MAX_ERRORS, json_name, short
from modelmill.serving.tensor_plan import TensorInput
from modelmill.serving.tensors import MISFITS, Array, Tensors, first_misfit, flat

MAX_SHOWN = 80


class TensorDecoder:
    """Instances stacked along the first dimension of each input, the batch."""

    def __init__(self, signature: Signature) -> None:
        self._slots = [TensorInput(tensor, required=True) for tensor in signature.inputs]
        self._names = {slot.name for slot in self._slots}

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensors of objects {input: nested values without the batch}, or of the only input's bare values.

        Raises:
            SignatureMismatch: names what does not fit of the first instance that does not.
        """
        try:
            columns = self._columns(instances)
            return {slot.name: _stack(slot, columns[slot.name]) for slot in self._slots}
        except (KeyError, *MISFITS) as error:
            raise self._mismatch(instances) from error

    def _columns(self, instances: list[Any]) -> dict[str, list[Any]]:
        """The values of all instances by input."""
        if len(self._slots) == 1 and dict not in set(map(type, instances)):
            return {self._slots[0].name: instances}
        if any(type(instance) is not dict or len(instance) != len(self._names) for instance in instances):
            raise TypeError("an instance is no object of all inputs")
        return {name: [instance[name] for instance in instances] for name in self._names}

    def _mismatch(self, instances: list[Any]) -> SignatureMismatch:
        """Slow and thorough, since nothing was computed."""
        expected = ", ".join(f"{short(slot.name)} ({slot.datatype} {slot.shape[1:]})" for slot in self._slots)
        if problem := self._problem_of_count(len(instances)):
            return SignatureMismatch(problem, errors=(FieldError("instances", problem),))
        for number, instance in enumerate(instances):
            found = self._problems(f"instances[{number}]", instance, instances[0])
            errors = tuple(error for _, error in zip(range(MAX_ERRORS), found, strict=False))
            if errors:
                named = "; ".join(f"{error.field} {error.message}" for error in errors[:3])
                return SignatureMismatch(f"{named}. Expected inputs: {expected}", errors=errors)
        return SignatureMismatch(f"expected inputs: {expected}")

    def _problem_of_count(self, count: int) -> str | None:
        sizes = {1 if not slot.shape else slot.shape[0] for slot in self._slots} - {-1}
        if len(sizes) > 1:
            told = ", ".join(map(str, sorted(sizes)))
            return f"the first dimensions of the model's inputs are {told}, so there are no instances; use /v2 for it"
        for slot in self._slots:
            takes = 1 if not slot.shape else slot.shape[0]
            if takes not in (-1, count):
                return f"the model takes exactly {takes} at once (input {short(slot.name)}), got {count} instances"
        return None

    def _problems(self, where: str, instance: Any, first: Any) -> Iterator[FieldError]:
        if type(instance) is not dict and (len(self._slots) > 1 or type(first) is dict):
            yield FieldError(where, f"must be an object of inputs, got {json_name(instance)}")
            return
        if type(instance) is not dict:
            yield from _problem(where, self._slots[0], instance, first)
            return
        for slot in self._slots:
            field = f"{where}.{short(slot.name)}"
            if slot.name not in instance:
                yield FieldError(field, f"is missing; give {slot.datatype} values of the shape {slot.shape[1:]}")
            else:
                like = first.get(slot.name) if type(first) is dict else None
                yield from _problem(field, slot, instance[slot.name], like)
        for name in instance:
            if name not in self._names:
                yield FieldError(f"{where}.{short(name)}", "is not an input of this model; leave it out")


def _stack(slot: TensorInput, values: list[Any]) -> Array:
    """One tensor of the values of all instances.

    Raises:
        one of MISFITS.
    """
    leaves, shape = _measure(values, max(1, len(slot.shape)))
    array = slot.codec.from_values(leaves)
    if not slot.shape:
        shape = shape[1:] if shape == [1] else shape
    if len(shape) != len(slot.shape) or any(want not in (-1, got) for want, got in zip(slot.shape, shape, strict=True)):
        raise ValueError("the values have another shape than the input")
    return array.reshape(shape)


def _measure(values: list[Any], rank: int) -> tuple[list[Any], list[int]]:
    """The values in lists nested at most `rank` deep, and the shape of these lists.

    Raises:
        ValueError: they are ragged.
    """
    shape = [len(values)]
    while len(shape) < rank and values and type(values[0]) is list:
        sizes = {len(value) if type(value) is list else -1 for value in values}
        if len(sizes) > 1:
            raise ValueError("lists of several lengths")
        shape.append(sizes.pop())
        values = list(chain.from_iterable(values))
    return values, shape


def _problem(field: str, slot: TensorInput, value: Any, first: Any) -> Iterator[FieldError]:
    """What is wrong with one instance's value, where `first` is the first instance's."""
    wanted = slot.shape[1:]
    shape = _shape_of(value, len(wanted))
    if shape is None or len(shape) != len(wanted) or any(w not in (-1, g) for w, g in zip(wanted, shape, strict=True)):
        got = f"values of the shape {shape}" if shape else json_name(value) if shape == [] else "ragged lists"
        yield FieldError(field, f"must be {slot.datatype} values of the shape {wanted}, got {got}")
        return
    values = flat([value])
    try:
        slot.codec.from_values(values)
    except MISFITS:
        place = first_misfit(slot.codec, values)
        got = json_name(values[place])
        shown = f" {values[place]!r}"[:MAX_SHOWN] if type(values[place]) in (int, float) else ""
        yield FieldError(field, f"has {got}{shown} at place {place}; {slot.datatype} takes {slot.codec.expected}")
        return
    if shape != _shape_of(first, len(wanted)):
        yield FieldError(field, f"has the shape {shape}, unlike the first instance; send those of one shape together")


def _shape_of(value: Any, rank: int) -> list[int] | None:
    """The shape of nested lists; None where they are ragged, one dimension more than `rank` where they are deeper."""
    try:
        leaves, shape = _measure([value], rank + 1)
    except ValueError:
        return None
    return [*shape[1:], len(leaves[0])] if leaves and type(leaves[0]) is list else shape[1:]
