"""Checks SageMaker requests against AWS's own description of the service, as SageMaker does."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.model import ServiceModel as Model
from botocore.validate import ParamValidator

from modelmill_local.answers import ServiceError

_CLASSES = {r"\p{Alnum}": r"\w", r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}


def check(operation: str, request: dict[str, Any]) -> None:
    """Raises ServiceError where `request` is not one that SageMaker takes for `operation`."""
    shape = _model().operation_model(operation).input_shape
    if shape is None:
        return
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", report.generate_report())
    problems = list(_problems(request, shape, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise ServiceError("ValidationException", f"{count}: {'; '.join(problems)}")


@cache
def _model() -> Model:
    return Model(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def _problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """What botocore leaves to the service: unknown members, enumerations, patterns, maxima."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            if name not in shape.members:
                yield f"Unknown parameter {path}.{name}".replace(" .", " ")
            else:
                yield from _problems(member, shape.members[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        yield from _too_many(value, shape, path)
        for number, item in enumerate(value):
            yield from _problems(item, shape.member, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        yield from _too_many(value, shape, path)
        for key, item in value.items():
            yield from _problems(key, shape.key, f"{path}.key")
            yield from _problems(item, shape.value, f"{path}.{key}")
    elif isinstance(shape, StringShape):
        yield from _string_problems(value, shape, path)
    elif "max" in shape.metadata and value > shape.metadata["max"]:
        yield _violated(value, path, f"Member must have value less than or equal to {shape.metadata['max']}")


def _string_problems(value: str, shape: StringShape, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield _violated(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_in_python(pattern), value):
        yield _violated(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    yield from _too_many(value, shape, path)


def _in_python(pattern: str) -> str:
    """A pattern of the model with Java's Unicode classes in Python's words."""
    for java, python in _CLASSES.items():
        pattern = pattern.replace(java, python)
    return pattern


def _too_many(value: Any, shape: Shape, path: str) -> Iterator[str]:
    most = shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield _violated(value, path, f"Member must have length less than or equal to {most}")


def _violated(value: Any, path: str, rule: str) -> str:
    return f"Value '{str(value)[:200]}' at '{path.removeprefix('.')}' failed to satisfy constraint: {rule}"
