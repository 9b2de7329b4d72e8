"""One algorithm fitted, evaluated, exported and held against its own graph."""

from typing import Any

import numpy as np
import onnx

from modelmill.jobs.catalogue import AUTO, resolve_hyperparameters
from modelmill.jobs.catalogue.unsupervised import USUAL
from modelmill.jobs.spec import TrainingSpec
from modelmill_training import bundle, parity
from modelmill_training.data import Integers, Matrix
from modelmill_training.onnx_graph import BOOL, FLOAT, INT64, GraphBuilder, value_info
from modelmill_training.parity import Bound, Outputs, Report
from modelmill_training.progress import Progress
from modelmill_training.split import sample
from modelmill_training.tabular import onnx_export
from modelmill_training.tabular.fitting import warnings_logged
from modelmill_training.tabular.prepare import Prepared
from modelmill_training.tabular.trained import MAX_TRAIN_ROWS_EVALUATED, Trained, exam_of, reference, reference_rows
from modelmill_training.tabular.unsupervised import Builder, Model, Request, Rows, builder, report

TYPES: dict[str, int] = {"BOOL": BOOL, "FP32": FLOAT, "INT64": INT64}


def learn(prepared: Prepared, spec: TrainingSpec, progress: Progress) -> Trained:
    """Fit on the training part, evaluate on every part, export, and pass the parity gate.

    Raises:
        TrainingFailure: nothing can be learned, or the model is too large or fails the gate.
    """
    algorithm, given = _chosen(spec)
    progress.algorithm, module = algorithm, builder(algorithm)
    progress.report("fit")
    request = _request(prepared, spec, module, given, progress)
    with warnings_logged(progress):
        model = module.fit(request)
    curve = [step for step in progress.curve if "loss" in step]
    progress.report("evaluate")
    places = _places(prepared, spec.seed)
    parts = {part: _rows(prepared, module, model, rows) for part, rows in places.items()}
    metrics = {part: model.evaluate(rows, spec.seed) for part, rows in parts.items()}
    progress.report("export")
    graph = _export(prepared, module, model)
    bundle.check_size(algorithm, len(graph), spec.max_model_bytes)
    progress.report("parity")

    def predict(rows: Integers) -> Outputs:
        return _rows(prepared, module, model, rows).outputs

    rows = reference_rows(prepared, spec.seed)
    exam = exam_of(prepared, lambda rows, outputs, bound: _compare(model, predict(rows), outputs, bound), rows)
    agreement, placement = exam.check(graph)
    parity.require(agreement)
    progress.report("report")
    return Trained(
        algorithm=algorithm,
        hyperparameters=request.hyperparameters,
        graph=graph,
        exam=exam,
        outputs=model.tensors,
        metrics=metrics,
        parity=agreement,
        placement=placement,
        reference=reference(prepared, rows, _scores(model, predict(rows))),
        libraries=module.LIBRARIES,
        report=report.build(spec, algorithm, prepared, report.Evidence(model, places, parts, metrics, curve)),
    )


def _chosen(spec: TrainingSpec) -> tuple[str, dict[str, Any]]:
    if spec.algorithm != AUTO:
        return spec.algorithm, dict(spec.hyperparameters)
    return USUAL[spec.task], resolve_hyperparameters(spec.kind, USUAL[spec.task], {})


def _request(
    prepared: Prepared, spec: TrainingSpec, module: Builder, given: dict[str, Any], progress: Progress
) -> Request:
    return Request(
        train=_features(prepared, module, prepared.split.train),
        validation=_features(prepared, module, prepared.split.validation),
        hyperparameters=given,
        seed=spec.seed,
        max_bytes=spec.max_model_bytes,
        progress=progress,
    )


def _features(prepared: Prepared, module: Builder, rows: Integers) -> Matrix:
    return prepared.preprocessing.matrix(prepared.table.take(rows), scaled=module.SCALED)


def _places(prepared: Prepared, seed: int) -> dict[str, Integers]:
    split = prepared.split
    train = sample(split.train, MAX_TRAIN_ROWS_EVALUATED, seed)
    return {"train": train, "validation": split.validation, "test": split.test}


def _rows(prepared: Prepared, module: Builder, model: Model, rows: Integers) -> Rows:
    features = _features(prepared, module, rows)
    if len(rows):
        return Rows(features, model.predict(features))
    return Rows(features, {tensor.name: np.zeros((0, *tensor.shape[1:])) for tensor in model.tensors})


def _export(prepared: Prepared, module: Builder, model: Model) -> bytes:
    def write(builder: GraphBuilder, features: str) -> list[onnx.ValueInfoProto]:
        model.write(builder, features)
        return [value_info(name, TYPES[datatype], "N", *shape[1:]) for name, datatype, shape in model.tensors]

    return onnx_export.build(prepared.preprocessing, write, scaled=module.SCALED)


def _compare(model: Model, source: Outputs, outputs: Outputs, bound: Bound) -> Report:
    return parity.compare_outputs(source, outputs, model.tensors[0].name, model.margins(source), bound)


def _scores(model: Model, outputs: dict[str, Any]) -> Any:
    """[N, scores] of the last output."""
    last = outputs[model.tensors[-1].name]
    return last.reshape(len(last), -1)
