"""Fitting a model by name, with the target brought to a scale on which float32 sums keep their digits."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from modelmill_training.data import Floats, Matrix
from modelmill_training.onnx_graph import DOUBLE, GraphBuilder, doubles
from modelmill_training.progress import Progress
from modelmill_training.tabular.algorithms import Builder, Model, Request, Rows, builder

# A target whose values lie further than this many deviations from zero is standardised for every algorithm.
FAR_FROM_ZERO = 100.0


@dataclass(frozen=True, slots=True)
class StandardisedTarget:
    """A regressor of (target - mean) / scale that answers in the target's own unit."""

    inner: Model
    mean: float
    scale: float

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        return self.inner.predict(features) * self.scale + self.mean

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        value = builder.cast(self.inner.write(builder, features), DOUBLE)
        value = builder.node("Mul", value, builder.constant(doubles(self.scale)))
        return builder.node("Add", value, builder.constant(doubles(self.mean)))


def fit(algorithm: str, request: Request) -> Model:
    """The fitted model of a catalogue entry; what libraries warn of goes to the job's log."""
    with warnings_logged(request.progress):
        return _fit(builder(algorithm), request)


@contextmanager
def warnings_logged(progress: Progress) -> Iterator[None]:
    """What libraries warn of goes to the job's log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("once")
        yield
    for warning in caught:
        progress.log(f"{warning.category.__name__}: {warning.message}")


def _fit(module: Builder, request: Request) -> Model:
    if request.classes:
        return module.fit(request)
    mean, scale = float(np.mean(request.train.target)), float(np.std(request.train.target)) or 1.0
    if not module.STANDARDISED_TARGET and abs(mean) <= FAR_FROM_ZERO * scale:
        return module.fit(request)
    scaled = replace(
        request,
        train=_standardised(request.train, mean, scale),
        validation=_standardised(request.validation, mean, scale),
    )
    return StandardisedTarget(module.fit(scaled), mean, scale)


def _standardised(rows: Rows, mean: float, scale: float) -> Rows:
    return Rows(rows.features, (rows.target.astype(np.float64) - mean) / scale)
