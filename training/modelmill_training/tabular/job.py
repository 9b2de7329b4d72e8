"""A job on a table."""

from modelmill.datasets.schema import Schema
from modelmill.jobs.catalogue import AUTO, unsupervised
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import tabular_signature
from modelmill_training import bundle
from modelmill_training.environment import Environment
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress
from modelmill_training.tabular.prepare import Prepared, prepare
from modelmill_training.tabular.trained import Trained, train


def run(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
    """See `job.Family`."""
    prepared = prepare(environment, spec, schema, progress)
    return _outcome(prepared, _train(prepared, spec, progress))


def _train(prepared: Prepared, spec: TrainingSpec, progress: Progress) -> Trained:
    """Each way imports its own libraries."""
    if spec.task in unsupervised.TASKS:
        from modelmill_training.tabular.unsupervised.learn import learn

        return learn(prepared, spec, progress)
    if spec.algorithm == AUTO:
        from modelmill_training.tabular.auto import choose

        return choose(prepared, spec, progress)
    if spec.tuning is not None:
        from modelmill_training.tabular.tuned import train_tuned

        return train_tuned(prepared, spec, spec.algorithm, spec.hyperparameters, progress)
    return train(prepared, spec, spec.algorithm, spec.hyperparameters, progress)


def _outcome(prepared: Prepared, trained: Trained) -> Outcome:
    features, labels = prepared.preprocessing.features, prepared.target.labels
    return Outcome(
        algorithm=trained.algorithm,
        hyperparameters=trained.hyperparameters,
        graph=trained.graph,
        exam=trained.exam,
        signature=tabular_signature(features, trained.outputs),
        labels=labels,
        metrics=trained.metrics,
        parity=trained.parity,
        placement=trained.placement,
        reference=trained.reference,
        report=trained.report,
        libraries=trained.libraries,
        split=prepared.split,
        present_rows=prepared.present_rows,
        left_out={"missing_target_rows": prepared.missing_target_rows},
        dropped=prepared.dropped,
        profile=bundle.profile_of(prepared.schema, features),
        leaderboard=trained.leaderboard,
        tuning=trained.tuning,
    )
