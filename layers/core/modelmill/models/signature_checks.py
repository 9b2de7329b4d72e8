"""Whether the signature of a bundle from training is just what its columns and labels make it."""

from collections.abc import Callable

from modelmill.models.frequency import is_frequency
from modelmill.models.manifest import TOKENIZER_FILE, Manifest
from modelmill.models.rejection import BundleRejected
from modelmill.models.signature import (
    Feature,
    Forecast,
    Signature,
    Tensor,
    anomaly_outputs,
    class_outputs,
    cluster_outputs,
    image_signature,
    tabular_signature,
    text_signature,
    timeseries_signature,
    value_outputs,
    vector_outputs,
)
from modelmill.models.uploaded import MAX_CLASSES

MAX_COLUMNS = 10_000
MAX_SIDE = 1024

# Tasks on tables in which nothing is classified.
UNLABELLED = ("regression", "clustering", "anomaly_detection")

_TENSOR_OF_TYPE = {
    "number": "numeric",
    "integer": "numeric",
    "boolean": "numeric",
    "timestamp": "numeric",
    "category": "categorical",
}


def check_signature(manifest: Manifest) -> None:
    """The tensors must be just what the kind of the model makes them.

    Raises:
        BundleRejected: `signature_invalid`.
    """
    check = CHECKS.get(manifest.signature.kind)
    problem = "no trained model has its kind" if check is None else check(manifest)
    if problem is not None:
        raise BundleRejected("signature_invalid", f"the signature cannot be used: {problem}")


def problem_of_classes(manifest: Manifest) -> str | None:
    """What is wrong with the labels of a classification, or with its task."""
    labels = manifest.labels
    if manifest.task not in ("binary", "multiclass"):
        return f"no task is called {manifest.task!r}"
    if not isinstance(labels, list) or not 2 <= len(labels) <= MAX_CLASSES:
        return "a classification has two or more labels"
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) != len(labels):
        return "labels are not distinct strings"
    return None


def _tabular(manifest: Manifest) -> str | None:
    problem = _problem_of_columns(manifest.signature.features) or _problem_of_labels(manifest)
    if problem is None and manifest.signature != tabular_signature(manifest.signature.features, _outputs(manifest)):
        problem = "its tensors do not follow from its columns, task and labels"
    return problem


def _outputs(manifest: Manifest) -> list[Tensor]:
    """What a table's model of this task gives, as wide as its own outputs are where nothing else says how wide."""
    if manifest.task == "clustering":
        width = _width(manifest.signature, "distances")
        return [] if width is None else cluster_outputs(width)
    if manifest.task == "anomaly_detection":
        return anomaly_outputs(_width(manifest.signature, "embedding"))
    return value_outputs() if manifest.labels is None else class_outputs(manifest.labels)


def _width(signature: Signature, name: str) -> int | None:
    """Of an output [N, width], None where there is none of a width that can be."""
    shapes = [output.shape for output in signature.outputs if output.name == name]
    widths = [shape[1] for shape in shapes if isinstance(shape, list) and len(shape) == 2]
    return next((width for width in widths if type(width) is int and 0 < width <= MAX_CLASSES), None)


def _problem_of_columns(features: list[Feature]) -> str | None:
    if not 0 < len(features) <= MAX_COLUMNS:
        return f"it has {len(features)} columns"
    if not all(isinstance(text, str) for each in features for text in (each.name, each.type, each.input)):
        return "names and types of columns are not strings"
    if len({feature.name for feature in features}) != len(features):
        return "two columns have the same name"
    if not all(type(feature.index) is int for feature in features):
        return "places of columns are not whole numbers"
    places = {"numeric": 0, "categorical": 0}
    for feature in sorted(features, key=lambda feature: (feature.input, feature.index)):
        tensor = _TENSOR_OF_TYPE.get(feature.type)
        if tensor != feature.input or feature.index != places[tensor]:
            return f"column {feature.name[:80]!r} is not where its type belongs"
        places[tensor] += feature.width
    return None


def _problem_of_labels(manifest: Manifest) -> str | None:
    if manifest.task in UNLABELLED:
        return None if manifest.labels is None else f"{manifest.task} has no labels"
    return problem_of_classes(manifest)


def _timeseries(manifest: Manifest) -> str | None:
    signature, forecast = manifest.signature, manifest.signature.forecast
    if manifest.task != "forecasting" or manifest.labels is not None:
        return "a model of time series forecasts values"
    if forecast is None or not _is_forecast(forecast):
        return "it does not say what a forecast is made from"
    if signature.features and (problem := _problem_of_columns(signature.features)):
        return problem
    taken = (forecast.time, forecast.value, forecast.series)
    if any(feature.type == "timestamp" or feature.name in taken for feature in signature.features):
        return "a column of timestamps, or one with another part, is no feature"
    expected = timeseries_signature(forecast, signature.features)
    return None if signature == expected else "its tensors do not follow from its columns and steps"


def _is_forecast(forecast: Forecast) -> bool:
    names = [forecast.time, forecast.value, *([] if forecast.series is None else [forecast.series])]
    return (
        all(isinstance(name, str) for name in (*names, forecast.frequency))
        and len(set(names)) == len(names)
        and is_frequency(forecast.frequency)
        and all(type(size) is int and 0 < size <= MAX_COLUMNS for size in (forecast.window, forecast.horizon))
    )


def _text(manifest: Manifest) -> str | None:
    signature = manifest.signature
    if len(signature.features) != 1 or not isinstance(signature.features[0].name, str):
        return "it does not have one column"
    if TOKENIZER_FILE not in manifest.files:
        return f"there is no {TOKENIZER_FILE}"
    column, width = signature.features[0].name, _width(signature, "vector")
    if manifest.task == "embedding" and manifest.labels is None and width is not None:
        expected = text_signature(column, vector_outputs(width))
        return None if signature == expected else "its tensors are not those of an encoder"
    if problem := problem_of_classes(manifest):
        return problem
    expected = text_signature(column, class_outputs(manifest.labels or []))
    return None if signature == expected else "its tensors do not follow from its labels"


def _image(manifest: Manifest) -> str | None:
    if problem := problem_of_classes(manifest):
        return problem
    shape = manifest.signature.inputs[0].shape if len(manifest.signature.inputs) == 1 else []
    if len(shape) != 4 or not all(type(size) is int for size in shape) or shape[3] not in (1, 3):
        return "it does not take pictures"
    if not all(0 < size <= MAX_SIDE for size in shape[1:3]):
        return f"its pictures have no side from 1 to {MAX_SIDE}"
    expected = image_signature(shape[1], shape[2], shape[3], manifest.labels or [])
    return None if manifest.signature == expected else "its tensors do not follow from its labels"


# By the kind of the signature: what is wrong, or None.
CHECKS: dict[str, Callable[[Manifest], str | None]] = {
    "tabular": _tabular,
    "timeseries": _timeseries,
    "text": _text,
    "image": _image,
}
