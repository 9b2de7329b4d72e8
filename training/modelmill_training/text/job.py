"""A job on texts."""

import json
from dataclasses import replace
from typing import Any

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import TOKENIZER_FILE
from modelmill.models.signature import text_signature
from modelmill_training import bundle
from modelmill_training.classifier.outcome import outcome_of, train_any
from modelmill_training.environment import Environment
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress
from modelmill_training.text.base_model import load
from modelmill_training.text.prepare import prepare


def run(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
    """See `job.Family`."""
    texts = prepare(environment, spec, schema, progress)
    if spec.base_model is not None:
        base_model = load(environment.base_model_folder)
        bundle.check_size("bert", base_model.bytes, spec.max_model_bytes)
        texts = replace(texts, base_model=base_model)
    trained = train_any(texts, spec, progress)
    column = schema.column(texts.column)
    return outcome_of(
        texts,
        trained,
        text_signature(texts.column, texts.labels),
        {"missing_target_rows": texts.missing_target_rows, "empty_texts": texts.empty_texts},
        files={TOKENIZER_FILE: _compact(trained.model)},
        profile={texts.column: column.to_dict()} if column else {},
    )


def _compact(model: Any) -> bytes:
    """The tokenizer of a text model as JSON."""
    return json.dumps(json.loads(model.tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")).encode()
