"""A job on texts."""

import json
from dataclasses import replace
from typing import Any

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import TOKENIZER_FILE
from modelmill.models.signature import class_outputs, text_signature
from modelmill_training import bundle
from modelmill_training.classifier.outcome import outcome_of, train_any
from modelmill_training.environment import Environment
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress
from modelmill_training.text.base_model import BaseModel, load
from modelmill_training.text.prepare import prepare, prepare_unlabelled


def run(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
    """See `job.Family`."""
    embedding = spec.task == "embedding"
    texts = (prepare_unlabelled if embedding else prepare)(environment, spec, schema, progress)
    texts = replace(texts, base_model=_base_model(environment, spec))
    if embedding:
        from modelmill_training.text.embedding import embed  # other jobs on texts do not need it

        trained, outputs = embed(texts, spec, progress)
    else:
        trained, outputs = train_any(texts, spec, progress), class_outputs(texts.labels)
    column = schema.column(texts.column)
    return outcome_of(
        texts,
        trained,
        text_signature(texts.column, outputs),
        {"missing_target_rows": texts.missing_target_rows, "empty_texts": texts.empty_texts},
        files={TOKENIZER_FILE: _compact(trained.model)},
        profile={texts.column: column.to_dict()} if column else {},
    )


def _base_model(environment: Environment, spec: TrainingSpec) -> BaseModel | None:
    if spec.base_model is None:
        return None
    found = load(environment.base_model_folder)
    bundle.check_size("bert", found.bytes, spec.max_model_bytes)
    return found


def _compact(model: Any) -> bytes:
    """The tokenizer of a text model as JSON."""
    return json.dumps(json.loads(model.tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")).encode()
