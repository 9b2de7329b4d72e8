"""A job on texts."""

import json

from modelmill.datasets.schema import Schema
from modelmill.jobs.catalogue import AUTO
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.manifest import TOKENIZER_FILE
from modelmill.models.signature import text_signature
from modelmill_training.environment import Environment
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress
from modelmill_training.text.prepare import Texts, prepare
from modelmill_training.text.trained import Trained, train


def run(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
    """See `job.Family`."""
    texts = prepare(environment, spec, schema, progress)
    if spec.algorithm == AUTO:
        from modelmill_training.text.auto import choose  # a single algorithm does not need it

        trained = choose(texts, spec, progress)
    else:
        trained = train(texts, spec, spec.algorithm, spec.hyperparameters, progress)
    return _outcome(schema, texts, trained)


def _outcome(schema: Schema, texts: Texts, trained: Trained) -> Outcome:
    column = schema.column(texts.column)
    return Outcome(
        algorithm=trained.algorithm,
        hyperparameters=trained.hyperparameters,
        graph=trained.graph,
        signature=text_signature(texts.column, texts.labels),
        labels=texts.labels,
        metrics=trained.metrics,
        parity=trained.parity,
        placement=trained.placement,
        reference=trained.reference,
        report=trained.report,
        libraries=trained.libraries,
        split=texts.split,
        present_rows=texts.present_rows,
        left_out={"missing_target_rows": texts.missing_target_rows, "empty_texts": texts.empty_texts},
        files={TOKENIZER_FILE: _compact(trained.tokenizer)},
        profile={texts.column: column.to_dict()} if column else {},
        leaderboard=trained.leaderboard,
    )


def _compact(tokenizer: str) -> bytes:
    return json.dumps(json.loads(tokenizer), ensure_ascii=False, separators=(",", ":")).encode()
