"""One algorithm trained on texts, evaluated, exported and held against its own graph."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from modelmill.jobs.spec import TrainingSpec
from modelmill_training import bundle, parity, session
from modelmill_training.data import Floats, Integers
from modelmill_training.metrics import evaluate
from modelmill_training.onnx_graph import INT64, GraphBuilder, value_info, write_classes
from modelmill_training.progress import Progress
from modelmill_training.split import sample
from modelmill_training.text import report
from modelmill_training.text.algorithms import Labelled, Model, Request, builder
from modelmill_training.text.prepare import Texts
from modelmill_training.text.tokens import padded

MAX_TRAIN_TEXTS_EVALUATED = 5_000
MAX_PARITY_TEXTS = 1_000
REFERENCE_TEXTS = 50
REFERENCE_CHARACTERS = 2_000
CHUNK = 32


@dataclass(frozen=True, slots=True)
class Trained:
    """What the manifest tells about a model, its graph, and its tokenizer as JSON."""

    algorithm: str
    hyperparameters: dict[str, Any]
    graph: bytes
    tokenizer: str
    metrics: dict[str, dict[str, Any]]
    parity: dict[str, Any]
    placement: dict[str, Any]
    reference: dict[str, Any]
    libraries: tuple[str, ...]
    report: dict[str, Any]
    leaderboard: list[dict[str, Any]] | None = field(default=None)


def train(
    texts: Texts,
    spec: TrainingSpec,
    algorithm: str,
    hyperparameters: dict[str, Any],
    progress: Progress,
    seconds: float | None = None,
) -> Trained:
    """Fit on the training part, evaluate on every part, export, and pass the parity gate.

    Raises:
        TrainingFailure: the model is too large or fails the gate.
    """
    progress.algorithm = algorithm
    progress.report("fit")
    return finish(texts, spec, fit(texts, spec, algorithm, hyperparameters, progress, seconds), progress)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model of the training part, and the validation part's probabilities."""

    algorithm: str
    request: Request
    model: Model
    validation: Floats


def fit(
    texts: Texts,
    spec: TrainingSpec,
    algorithm: str,
    hyperparameters: dict[str, Any],
    progress: Progress,
    seconds: float | None = None,
) -> Fitted:
    """Fit on the training part."""
    request = _request(texts, spec, hyperparameters, progress, seconds)
    model = builder(algorithm).fit(request)
    return Fitted(algorithm, request, model, model.predict(request.validation.texts))


def finish(texts: Texts, spec: TrainingSpec, fitted: Fitted, progress: Progress) -> Trained:
    """All that follows fitting.

    Raises:
        TrainingFailure: the model is too large or fails the gate.
    """
    algorithm, model = fitted.algorithm, fitted.model
    curve = [step for step in progress.curve if "loss" in step]
    if builder(algorithm).REFITS:
        model = builder(algorithm).fit(fitted.request.on_everything())
    progress.report("evaluate")
    scores = _scores(texts, model, spec.seed) | {"validation": (texts.split.validation, fitted.validation)}
    metrics = {part: evaluate(texts.target[rows], found, texts.labels) for part, (rows, found) in scores.items()}
    progress.report("export")
    graph = _export(model, texts.labels)
    bundle.check_size(algorithm, len(graph), spec.max_model_bytes)
    progress.report("parity")
    agreement, placement = _check_graph(texts, model, graph, spec.seed)
    parity.require(agreement)
    progress.report("report")
    return Trained(
        algorithm=algorithm,
        hyperparameters=fitted.request.hyperparameters,
        graph=graph,
        tokenizer=model.tokenizer.to_str(),
        metrics=metrics,
        parity=agreement,
        placement=placement,
        reference=_reference(texts, model, spec.seed),
        libraries=builder(algorithm).LIBRARIES,
        report=report.build(spec, algorithm, texts, metrics, curve, scores["test"]),
    )


def _request(
    texts: Texts, spec: TrainingSpec, hyperparameters: dict[str, Any], progress: Progress, seconds: float | None
) -> Request:
    return Request(
        train=Labelled(texts.take(texts.split.train), texts.target[texts.split.train]),
        validation=Labelled(texts.take(texts.split.validation), texts.target[texts.split.validation]),
        classes=len(texts.labels),
        hyperparameters=dict(hyperparameters),
        seed=spec.seed,
        progress=progress,
        seconds=seconds,
    )


def _scores(texts: Texts, model: Model, seed: int) -> dict[str, tuple[Integers, Floats]]:
    """Rows of the parts that the model is evaluated on, and their probabilities."""
    parts = {
        "train": sample(texts.split.train, MAX_TRAIN_TEXTS_EVALUATED, seed),
        "test": texts.split.test,
    }
    return {part: (rows, model.predict(texts.take(rows))) for part, rows in parts.items()}


def _export(model: Model, labels: list[str]) -> bytes:
    graph = GraphBuilder()
    outputs = write_classes(graph, model.write(graph, "input_ids"), labels)
    built = graph.build([value_info("input_ids", INT64, "N", "L")], outputs)
    onnx.checker.check_model(built)
    return bytes(built.SerializeToString())


def _check_graph(texts: Texts, model: Model, graph: bytes, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parity report on held-out texts, and what a run costs."""
    held_out = np.concatenate([texts.split.test, texts.split.validation])
    rows = sample(held_out, MAX_PARITY_TEXTS, seed)
    chosen = texts.take(rows)
    before = session.resident_bytes()
    opened = session.open_session(graph)
    parts = [
        session.predict(opened, {"input_ids": padded(model.tokenizer, chosen[start : start + CHUNK])})
        for start in range(0, len(chosen), CHUNK)
    ]
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    memory = max(0, session.resident_bytes() - before)
    agreement = parity.compare_probabilities(model.predict(chosen), outputs, texts.labels)
    for entry in agreement["worst"]:
        entry["row"] = int(texts.present_rows[rows[entry["row"]]])
    typical = sorted(chosen, key=len)[len(chosen) // 2]
    latency = session.latency_us(opened, {"input_ids": padded(model.tokenizer, [typical])})
    return agreement, {"model_bytes": len(graph), "latency_us": latency, "memory_bytes": memory}


def _reference(texts: Texts, model: Model, seed: int) -> dict[str, Any]:
    """Short texts, and the scores of exactly these."""
    rows = sample(texts.split.train, REFERENCE_TEXTS, seed)
    short = [text[:REFERENCE_CHARACTERS] for text in texts.take(rows)]
    return {"rows": [{"text": text} for text in short], "scores": model.predict(short).tolist()}
