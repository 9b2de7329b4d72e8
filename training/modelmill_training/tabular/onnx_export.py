"""From a fitted model to one self-contained graph: preprocessing, estimator, outputs."""

from collections.abc import Callable

import numpy as np
import onnx

from modelmill_training.onnx_graph import (
    DOUBLE,
    FLOAT,
    ML_DOMAIN,
    STRING,
    GraphBuilder,
    doubles,
    value_info,
    write_classes,
)
from modelmill_training.optimization.simplify import serialized
from modelmill_training.tabular.algorithms import Model
from modelmill_training.tabular.features import LIMIT, Preprocessing, categorical


def export(preprocessing: Preprocessing, model: Model, *, scaled: bool, labels: list[str] | None) -> bytes:
    """The serialized graph; its outputs are the class and its probabilities, or without labels a value."""

    def write(builder: GraphBuilder, features: str) -> list[onnx.ValueInfoProto]:
        return _write_outputs(builder, model.write(builder, features), labels)

    return build(preprocessing, write, scaled=scaled)


def build(
    preprocessing: Preprocessing, write: Callable[[GraphBuilder, str], list[onnx.ValueInfoProto]], *, scaled: bool
) -> bytes:
    """The serialized graph that takes a table's inputs; `write` appends what follows on its features."""
    builder = GraphBuilder()
    outputs = write(builder, write_preprocessing(builder, preprocessing, scaled=scaled))
    return serialized(builder.build(_inputs(preprocessing), outputs))


def write_preprocessing(builder: GraphBuilder, preprocessing: Preprocessing, *, scaled: bool) -> str:
    """The nodes of `Preprocessing.matrix`: the same arithmetic in double precision, cast at the same place."""
    parts = []
    if preprocessing.numeric_width:
        parts.append(_write_numbers(builder, preprocessing, scaled=scaled))
    parts.extend(_write_one_hot(builder, preprocessing))
    return builder.node("Concat", *parts, axis=1)


def _inputs(preprocessing: Preprocessing) -> list[onnx.ValueInfoProto]:
    inputs = []
    if preprocessing.numeric_width:
        inputs.append(value_info("numeric", DOUBLE, "N", preprocessing.numeric_width))
    if preprocessing.vocabularies:
        inputs.append(value_info("categorical", STRING, "N", len(preprocessing.vocabularies)))
    return inputs


def _write_numbers(builder: GraphBuilder, preprocessing: Preprocessing, *, scaled: bool) -> str:
    missing = builder.node("IsNaN", "numeric")
    value = builder.node("Where", missing, builder.constant(preprocessing.fills), "numeric")
    if scaled:
        value = builder.node("Div", value, builder.constant(preprocessing.scales))
        value = builder.node("Sub", value, builder.constant(preprocessing.shifts))
    elif preprocessing.centres.any():
        value = builder.node("Sub", value, builder.constant(preprocessing.centres))
    low, high = (builder.constant(doubles(limit)) for limit in (-LIMIT, LIMIT))
    return builder.cast(builder.node("Clip", value, low, high), FLOAT)


def _write_one_hot(builder: GraphBuilder, preprocessing: Preprocessing) -> list[str]:
    parts = []
    for feature, vocabulary in zip(categorical(preprocessing.features), preprocessing.vocabularies, strict=True):
        column = builder.node("Gather", "categorical", builder.constant(np.array(feature.index)), axis=1)
        parts.append(builder.node("OneHotEncoder", column, domain=ML_DOMAIN, cats_strings=vocabulary, zeros=1))
    return parts


def _write_outputs(builder: GraphBuilder, scores: str, labels: list[str] | None) -> list[onnx.ValueInfoProto]:
    if labels is None:
        # In double, since a target like 1,700,000,000 ± 1,000 has no room in single precision.
        builder.node("Identity", builder.cast(scores, DOUBLE), output="value")
        return [value_info("value", DOUBLE, "N", 1)]
    return write_classes(builder, scores, labels)
