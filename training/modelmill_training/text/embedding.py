"""Base models as they are, served as encoders: a vector of length 1 for each text."""

from typing import Any

import keras
import numpy as np

from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import Tensor, vector_outputs
from modelmill_training import bundle, parity
from modelmill_training.classifier.trained import Trained, exam_of, reference_items
from modelmill_training.data import Floats, Integers
from modelmill_training.failures import TrainingFailure
from modelmill_training.onnx_graph import FLOAT, GraphBuilder, value_info
from modelmill_training.optimization.simplify import serialized
from modelmill_training.progress import Progress
from modelmill_training.report.warnings import small_parts
from modelmill_training.split import sample
from modelmill_training.text.algorithms.bert import LIBRARIES, prepare_tokenizer
from modelmill_training.text.base_model import BaseModel
from modelmill_training.text.encoder import Encoder
from modelmill_training.text.encoder_graph import write_encoder
from modelmill_training.text.network import Network
from modelmill_training.text.prepare import Texts
from modelmill_training.text.tokens import padded, padding_of

MAX_TEXTS_COMPARED = 1_000
MAX_NEIGHBOURS = 20


def embed(texts: Texts, spec: TrainingSpec, progress: Progress) -> tuple[Trained, list[Tensor]]:
    """The encoder of the job's base model, held against its own graph on held-out texts, and what the graph gives.

    Raises:
        TrainingFailure: the job has no base model, or its graph fails the gate.
        InvalidRequest: texts are to be read further than the base model can.
    """
    progress.algorithm, base = spec.algorithm, texts.base_model
    if base is None:
        raise TrainingFailure("base_model_missing", "The job names no base model: give the id of one.")
    given = dict(spec.hyperparameters)
    given["max_length"] = prepare_tokenizer(base, texts.take(texts.split.train), given["max_length"])
    model = _encoder(base, given["pooling"])
    progress.report("evaluate")
    rows = sample(texts.split.test, MAX_TEXTS_COMPARED, spec.seed)
    vectors = model.predict(texts.take(rows))
    metrics = {"test": _metrics(model, texts.take(rows), vectors)}
    progress.report("export")
    graph = _export(texts, model, base.architecture.width)
    bundle.check_size(spec.algorithm, len(graph), spec.max_model_bytes)
    progress.report("parity")
    instances, items = reference_items(texts, spec.seed)
    exam = exam_of(texts, model, spec.seed, items, parity.compare_vectors)
    agreement, placement = exam.check(graph)
    parity.require(agreement)
    progress.report("report")
    trained = Trained(
        algorithm=spec.algorithm,
        hyperparameters={name: given[name] for name in ("pooling", "max_length")},
        model=model,
        graph=graph,
        exam=exam,
        metrics=metrics,
        parity=agreement,
        placement=placement,
        reference={"rows": instances, "scores": model.predict(items).tolist()},
        libraries=LIBRARIES,
        report=_report(spec, texts, metrics, rows, vectors),
    )
    return trained, vector_outputs(base.architecture.width)


def _encoder(base: BaseModel, pooling: str) -> Network:
    ids = keras.Input((None,), dtype="int32")
    vector = keras.layers.UnitNormalization(axis=-1)(Encoder(base, pooling, 0.0)(ids))
    return Network(keras.Model(ids, vector), base.tokenizer, _write)


def _write(net: Any, builder: GraphBuilder, ids: str) -> str:
    encoder = net.get_layer("encoder")
    vector = write_encoder(builder, ids, encoder.architecture, encoder.weights_by_part(), encoder.pooling)
    return builder.node("LpNormalization", vector, axis=1, p=2)


def _export(texts: Texts, model: Network, width: int) -> bytes:
    graph, given = GraphBuilder(), texts.graph_input()
    graph.node("Identity", model.write(graph, given.name), output="vector")
    return serialized(graph.build([given], [value_info("vector", FLOAT, "N", width)]))


def _metrics(model: Network, texts: list[str], vectors: Floats) -> dict[str, Any]:
    """How alike any two held-out texts are, and how many tokens are read of one."""
    alike, count = vectors @ vectors.T, len(vectors)
    others = alike[~np.eye(count, dtype=bool)]
    tokens = np.count_nonzero(padded(model.tokenizer, texts) != padding_of(model.tokenizer), axis=1)
    similarity = {"similarity_mean": float(others.mean())} if count > 1 else {}
    return {**similarity, "tokens_mean": float(tokens.mean()), "tokens_max": int(tokens.max())}


def _report(
    spec: TrainingSpec, texts: Texts, metrics: dict[str, Any], rows: Integers, vectors: Floats
) -> dict[str, Any]:
    return {
        "task": spec.task,
        "algorithm": spec.algorithm,
        "labels": None,
        "rows": texts.split.to_dict() | {"drawn": len(rows)},
        "metrics": metrics,
        "warnings": small_parts(texts.split),
        "learning_curve": [],
        "neighbours": _neighbours(texts, rows, vectors),
    }


def _neighbours(texts: Texts, rows: Integers, vectors: Floats) -> list[dict[str, Any]]:
    """Held-out texts, each with the one that is most like it."""
    if len(rows) < 2:
        return []
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    return [
        {
            "row": int(texts.present_rows[rows[place]]),
            **texts.describe(int(rows[place])),
            "nearest": texts.describe(int(rows[nearest]))["text"],
            "similarity": float(alike[place, nearest]),
        }
        for place, nearest in enumerate(alike.argmax(axis=1)[:MAX_NEIGHBOURS])
    ]
