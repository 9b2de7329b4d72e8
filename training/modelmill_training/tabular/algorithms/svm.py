"""Support vector machines: one regressor, or one classifier per class against all others."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC, SVR

from modelmill_training.bundle import check_size
from modelmill_training.data import Floats, Integers, Matrix
from modelmill_training.failures import TrainingFailure
from modelmill_training.onnx_graph import DOUBLE, FLOAT, GraphBuilder, doubles
from modelmill_training.tabular.algorithms import Model, Request, Rows
from modelmill_training.tabular.algorithms.kernels import Kernel

SCALED = True
STANDARDISED_TARGET = True
# What `max_rows` takes unless it is given.
COSTLY_ROWS = 10_000
LIBRARIES = ("scikit-learn",)

FOLDS = 5
CACHE_MB = 500
# Of the solver; its own, 1e-3, lets the last bits of the features decide the third digit of predictions.
TOLERANCE = 1e-5
PREDICTION_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Machines:
    """scores = kernel(features) · weights + intercept; for classes the normalised logistic functions of the scores.

    kernel: None takes the features themselves.
    weights: [support vectors, outputs]; intercept: [outputs]; two classes have one output.
    """

    kernel: Kernel | None
    weights: Floats
    intercept: Floats
    classes: int

    def predict(self, features: Matrix) -> Floats:
        """See `Model`."""
        starts = range(0, len(features), PREDICTION_BATCH)
        scores = np.concatenate([self._scores(features[start : start + PREDICTION_BATCH]) for start in starts])
        if not self.classes:
            return scores
        if self.classes == 2:
            return np.asarray(softmax(scores * [0.0, 1.0], axis=1), dtype=np.float64)
        return np.asarray(softmax(log_expit(scores), axis=1), dtype=np.float64)

    def write(self, builder: GraphBuilder, features: str) -> str:
        """See `Model`."""
        rows = builder.cast(features, DOUBLE)
        likeness = self.kernel.write(builder, rows) if self.kernel else rows
        weights, intercept = (builder.constant(doubles(array)) for array in (self.weights, self.intercept))
        scores = builder.node("Add", builder.node("MatMul", likeness, weights), intercept)
        if not self.classes:
            return scores
        if self.classes == 2:
            # One score z: softmax over (0, z) is the logistic function of z.
            scores = builder.node("MatMul", scores, builder.constant(doubles([[0.0, 1.0]])))
        else:
            # Logarithms, -log(1 + exp(-z)), since all logistic functions may be zero.
            scores = builder.node("Neg", builder.node("Softplus", builder.node("Neg", scores)))
        return builder.cast(builder.node("Softmax", scores, axis=1), FLOAT)

    def _scores(self, features: Matrix) -> Floats:
        likeness = self.kernel(features) if self.kernel else features.astype(np.float64)
        return np.asarray(likeness @ self.weights + self.intercept, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Machine:
    """One output: the numbers of the rows that are its support vectors, their weights, and its intercept."""

    support: Integers
    weights: Floats
    intercept: float


def fit(request: Request) -> Model:
    """See `Builder`.

    Raises:
        TrainingFailure: the time is up, or the model is too large.
    """
    given = request.hyperparameters
    rows = _take(request)
    if given["gamma"] is None:
        given["gamma"] = 1.0 / (rows.features.shape[1] * float(rows.features.var(dtype=np.float64)) or 1.0)
    total = request.classes if request.classes > 2 else 1
    machines: list[_Machine] = []
    started = time.monotonic()
    request.progress.report("fit", 0, total)
    for machine in _classifiers(request, rows) if request.classes else _regressors(request, rows):
        machines.append(machine)
        request.progress.report("fit", len(machines), total)
        if request.seconds is not None and time.monotonic() - started > request.seconds and len(machines) < total:
            done = f"{len(machines)} of {total} classes took {time.monotonic() - started:.0f} s"
            raise TrainingFailure("out_of_time", f"not finished: {done}")
    return _join(machines, rows, request)


def _take(request: Request) -> Rows:
    """At most about `max_rows` rows at random, the classes in their shares, but a few of each."""
    rows, limit = request.train, request.hyperparameters["max_rows"]
    total = len(rows.target)
    if total <= limit:
        return rows
    request.progress.log(f"svm learns from {limit:,} of {total:,} training rows: see max_rows")
    strata = rows.target.astype(np.int64) if request.classes else np.zeros(total, dtype=np.int64)
    order = np.random.default_rng(request.seed).permutation(total)
    order = order[np.argsort(strata[order], kind="stable")]
    counts = np.bincount(strata)
    places = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = np.maximum(FOLDS, np.round(limit / total * counts))
    kept = np.sort(order[places < np.repeat(wanted, counts)])
    return Rows(rows.features[kept], rows.target[kept])


def _regressors(request: Request, rows: Rows) -> Iterator[_Machine]:
    machine = SVR(epsilon=request.hyperparameters["epsilon"], **_settings(request))
    machine.fit(rows.features.astype(np.float64), rows.target)
    yield _Machine(machine.support_, machine.dual_coef_[0], float(machine.intercept_[0]))


def _classifiers(request: Request, rows: Rows) -> Iterator[_Machine]:
    """Each class against the others; for two classes the second against the first."""
    features = rows.features.astype(np.float64)
    weights = None
    if request.hyperparameters["class_weight"] == "balanced":
        target = rows.target.astype(np.int64)
        counts = np.bincount(target, minlength=request.classes)
        weights = (len(target) / (request.classes * counts))[target]
    for place in [1] if request.classes == 2 else range(request.classes):
        yield _classifier(request, features, rows.target == place, weights)


def _classifier(request: Request, features: Floats, truth: NDArray[np.bool_], weights: Floats | None) -> _Machine:
    """A machine whose score's logistic function is a probability: Platt's scaling is part of it.

    Platt 1999, "Probabilistic outputs for support vector machines": fitted to what machines that have not seen a row
    say of it.
    """
    folds = min(FOLDS, int(np.count_nonzero(truth)), int(np.count_nonzero(~truth)))
    everything = np.arange(len(truth))
    calibrated = CalibratedClassifierCV(
        SVC(**_settings(request)),
        ensemble=False,
        # A class of a single row cannot be left out.
        cv=StratifiedKFold(folds, shuffle=True, random_state=request.seed) if folds > 1 else [(everything, everything)],
    )
    calibrated.fit(features, truth, sample_weight=weights)
    (fitted,) = calibrated.calibrated_classifiers_
    (scaling,) = fitted.calibrators
    machine = fitted.estimator
    intercept = -scaling.a_ * machine.intercept_[0] - scaling.b_
    return _Machine(machine.support_, -scaling.a_ * machine.dual_coef_[0], float(intercept))


def _settings(request: Request) -> dict[str, Any]:
    names = ("kernel", "C", "gamma", "degree", "coef0", "max_iter")
    return {"cache_size": CACHE_MB, "tol": TOLERANCE, **{name: request.hyperparameters[name] for name in names}}


def _join(machines: list[_Machine], rows: Rows, request: Request) -> Machines:
    """All machines on the support vectors of all."""
    given = request.hyperparameters
    kept = np.unique(np.concatenate([machine.support for machine in machines]))
    if len(kept) == 0:
        # Every row lies within epsilon; a graph needs a vector all the same.
        kept = np.array([0])
    weights = np.zeros((len(kept), len(machines)))
    for place, machine in enumerate(machines):
        weights[np.searchsorted(kept, machine.support), place] = machine.weights
    intercept = np.array([machine.intercept for machine in machines])
    support = rows.features[kept]
    if given["kernel"] == "linear":
        return Machines(None, support.astype(np.float64).T @ weights, intercept, request.classes)
    check_size("svm", support.nbytes + weights.nbytes, request.max_bytes)
    kernel = Kernel(given["kernel"], support, given["gamma"], given["coef0"], given["degree"])
    return Machines(kernel, weights, intercept, request.classes)
