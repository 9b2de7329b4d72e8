"""One forecaster trained, evaluated beside the seasonal naive one, exported and held against its own graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import STEP_PARTS
from modelmill_training import bundle, parity, session
from modelmill_training.data import Floats
from modelmill_training.exam import Exam
from modelmill_training.onnx_graph import DOUBLE, STRING, GraphBuilder, value_info
from modelmill_training.optimization.simplify import serialized
from modelmill_training.parity import Bound, Outputs, Report
from modelmill_training.progress import Progress
from modelmill_training.timeseries import report as reports
from modelmill_training.timeseries.algorithms import Model, Request, builder
from modelmill_training.timeseries.frame import Frame
from modelmill_training.timeseries.intervals import half_widths
from modelmill_training.timeseries.metrics import SCORE, coverage, evaluate
from modelmill_training.timeseries.prepare import Prepared
from modelmill_training.timeseries.reference import reference
from modelmill_training.timeseries.windows import Windows, joined

BASELINE = "seasonal_naive"
MAX_PARITY_WINDOWS = 1_000


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A model with its intervals: `half` [horizon] in units of each window's scale."""

    frame: Frame
    model: Model
    half: Floats

    def predict(self, windows: Windows) -> dict[str, Floats]:
        """values, lower and upper [N, horizon], in units of the series."""
        scaled = self.frame.scale(windows)
        values = scaled.base + scaled.gain * self.model.predict(windows)
        spread = scaled.scale * self.half
        return {"lower": values - spread, "upper": values + spread, "values": values}

    def export(self) -> bytes:
        """The serialized graph with the inputs and outputs of `timeseries_signature`."""
        graph, form = GraphBuilder(), self.frame.form
        names = self.frame.write(graph)
        corrected = graph.node("Mul", names.gain, self.model.write(graph, names))
        values = graph.node("Add", names.base, corrected, output="values")
        spread = graph.node("Mul", names.scale, graph.constant(self.half))
        graph.node("Sub", values, spread, output="lower")
        graph.node("Add", values, spread, output="upper")
        first = graph.constant(np.array(STEP_PARTS.index("epoch_seconds")))
        graph.node("Gather", "steps", first, output="times", axis=2)
        outputs = [value_info(name, DOUBLE, "N", form.horizon) for name in ("times", "lower", "upper", "values")]
        return serialized(graph.build(_inputs(self.frame), outputs))

    def feed(self, windows: Windows) -> session.Inputs:
        """The graph's inputs."""
        inputs: session.Inputs = {"history": windows.history, "steps": windows.steps}
        if windows.numeric.shape[2]:
            inputs["numeric"] = windows.numeric
        if self.frame.names:
            columns = [np.array(names, dtype=object)[windows.codes[..., k]] for k, names in enumerate(self.frame.names)]
            inputs["categorical"] = np.stack(columns, axis=2)
        return inputs


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model of the training part, and its forecasts [N, horizon] of the validation part."""

    algorithm: str
    request: Request
    model: Model
    validation: Floats


@dataclass(frozen=True, slots=True)
class Trained:
    """What the manifest tells about a model, and its graph."""

    algorithm: str
    hyperparameters: dict[str, Any]
    graph: bytes
    exam: Exam
    metrics: dict[str, dict[str, Any]]
    parity: dict[str, Any]
    placement: dict[str, Any]
    reference: dict[str, Any]
    libraries: tuple[str, ...]
    report: dict[str, Any]
    leaderboard: list[dict[str, Any]] | None = None
    tuning: dict[str, Any] | None = None


def fit(
    prepared: Prepared,
    seed: int,
    algorithm: str,
    hyperparameters: dict[str, Any],
    progress: Progress,
    seconds: float | None = None,
    report: Callable[[int, float], None] | None = None,
) -> Fitted:
    """Fit on the training part; see `Request`."""
    progress.algorithm = algorithm
    progress.report("fit")
    parts, form = prepared.parts, prepared.form
    request = Request(
        frame=prepared.frame,
        train=parts.train,
        validation=parts.validation,
        hyperparameters={**hyperparameters, "season": form.season, "window": form.window},
        decided={},
        seed=seed,
        progress=progress,
        seconds=seconds,
        report=report,
    )
    model = builder(algorithm).fit(request)
    without = Forecaster(prepared.frame, model, np.zeros(form.horizon))
    return Fitted(algorithm, request, model, without.predict(parts.validation)["values"])


def finish(prepared: Prepared, spec: TrainingSpec, fitted: Fitted, progress: Progress) -> Trained:
    """All that follows fitting.

    Raises:
        TrainingFailure: the model is too large or fails the gate.
    """
    progress.algorithm, module = fitted.algorithm, builder(fitted.algorithm)
    curve = [step for step in progress.curve if "loss" in step]
    model = module.fit(_on_both_parts(fitted.request)) if module.REFITS else fitted.model
    forecaster = Forecaster(prepared.frame, model, _half_widths(prepared, fitted))
    progress.report("evaluate")
    forecasts = {part: forecaster.predict(windows) for part, windows in prepared.parts.items().items()}
    metrics = _metrics(prepared, fitted, forecasts)
    progress.report("export")
    graph = forecaster.export()
    bundle.check_size(fitted.algorithm, len(graph), spec.max_model_bytes)
    progress.report("parity")
    rows, windows = reference(prepared, spec.seed)
    exam = _exam(prepared, forecaster, forecasts["test"], windows)
    agreement, placement = exam.check(graph)
    parity.require(agreement)
    progress.report("report")
    return Trained(
        algorithm=fitted.algorithm,
        hyperparameters=fitted.request.hyperparameters,
        graph=graph,
        exam=exam,
        metrics=metrics,
        parity=agreement,
        placement=placement,
        reference={"rows": rows, "scores": forecaster.predict(windows)["values"].tolist()},
        libraries=module.LIBRARIES,
        report=reports.build(
            prepared,
            fitted.algorithm,
            metrics,
            curve,
            forecasts["test"],
            baseline(prepared.parts.test, prepared),
            fitted.request.hyperparameters["level"],
        ),
    )


def baseline(windows: Windows, prepared: Prepared) -> Floats:
    """The seasonal naive forecast [N, horizon]."""
    return prepared.frame.scale(windows).base


def _on_both_parts(request: Request) -> Request:
    """The same request, what was left open decided, to learn from the validation part too."""
    both = joined(request.train, request.validation) if request.validation is not None else request.train
    return Request(
        frame=request.frame,
        train=both,
        validation=None,
        hyperparameters=request.hyperparameters,
        decided=request.decided,
        seed=request.seed,
        progress=request.progress,
    )


def _half_widths(prepared: Prepared, fitted: Fitted) -> Floats:
    windows = prepared.parts.validation
    errors = np.abs(windows.truth - fitted.validation) / prepared.frame.scale(windows).scale
    return half_widths(errors, fitted.request.hyperparameters["level"])


def _metrics(prepared: Prepared, fitted: Fitted, forecasts: dict[str, dict[str, Floats]]) -> dict[str, dict[str, Any]]:
    """Of each part; those of the validation part are from before it was learned from. The test part has the share
    of values within the intervals, and all held-out parts the baseline's metrics.
    """
    metrics: dict[str, dict[str, Any]] = {}
    for part, windows in prepared.parts.items().items():
        found = fitted.validation if part == "validation" else forecasts[part]["values"]
        metrics[part] = evaluate(windows.truth, found, windows.naive_error)
        if part == "test":
            metrics[part]["coverage"] = coverage(windows.truth, forecasts[part]["lower"], forecasts[part]["upper"])
        naive = evaluate(windows.truth, baseline(windows, prepared), windows.naive_error)
        metrics[part] |= {f"{BASELINE}_{name}": value for name, value in naive.items()}
    return metrics


def _inputs(frame: Frame) -> list[onnx.ValueInfoProto]:
    form = frame.form
    inputs = [value_info("history", DOUBLE, "N", form.window)]
    if len(frame.means):
        inputs.append(value_info("numeric", DOUBLE, "N", form.window, len(frame.means)))
    if frame.names:
        inputs.append(value_info("categorical", STRING, "N", form.window, len(frame.names)))
    return [*inputs, value_info("steps", DOUBLE, "N", form.horizon, len(STEP_PARTS))]


def _exam(prepared: Prepared, forecaster: Forecaster, expected: dict[str, Floats], reference: Windows) -> Exam:
    """On held-out origins, of which all forecasts are expected; `reference` are the windows of the manifest's rows."""
    windows, series = prepared.parts.test.take(slice(MAX_PARITY_WINDOWS)), prepared.panel.series
    source = {name: array[:MAX_PARITY_WINDOWS] for name, array in expected.items()}

    def compare(outputs: Outputs, bound: Bound) -> Report:
        agreement = parity.compare_forecasts(source, outputs, prepared.frame.scale(windows).scale, bound)
        for entry in agreement["worst"]:
            place = entry["row"]
            entry["row"] = int(series[windows.series[place]].rows[windows.origin[place] - 1])
        return agreement

    return Exam(
        feeds=lambda: [forecaster.feed(windows)],
        compare=compare,
        reference=forecaster.feed(reference),
        metric=SCORE,
        score=lambda outputs: evaluate(windows.truth, outputs["values"], windows.naive_error).get(SCORE),
        more_is_better=False,
    )
