"""A job on time series."""

from modelmill.datasets.schema import Schema
from modelmill.jobs.catalogue import AUTO
from modelmill.jobs.spec import TrainingSpec
from modelmill_training import bundle
from modelmill_training.environment import Environment
from modelmill_training.outcome import Outcome
from modelmill_training.progress import Progress
from modelmill_training.timeseries.prepare import Prepared, prepare
from modelmill_training.timeseries.trained import Trained, finish, fit
from modelmill_training.timeseries.windows import rows_of


def run(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Outcome:
    """See `job.Family`."""
    prepared = prepare(environment, spec, schema, progress)
    trained = _train(prepared, spec, progress)
    panel = prepared.panel
    split, present_rows = rows_of(panel, prepared.form.horizon, spec.seed)
    return Outcome(
        algorithm=trained.algorithm,
        hyperparameters=trained.hyperparameters,
        graph=trained.graph,
        exam=trained.exam,
        signature=prepared.signature,
        labels=None,
        metrics=trained.metrics,
        parity=trained.parity,
        placement=trained.placement,
        reference=trained.reference,
        report=trained.report,
        libraries=trained.libraries,
        split=split,
        present_rows=present_rows,
        left_out={"series": len(panel.series), "filled_steps": panel.filled},
        dropped=panel.dropped,
        profile=bundle.profile_of(schema, panel.features),
        leaderboard=trained.leaderboard,
        tuning=trained.tuning,
    )


def _train(prepared: Prepared, spec: TrainingSpec, progress: Progress) -> Trained:
    """Each way imports its own libraries."""
    if spec.algorithm == AUTO:
        from modelmill_training.timeseries.auto import choose

        return choose(prepared, spec, progress)
    if spec.tuning is not None:
        from modelmill_training.timeseries.tuned import train_tuned

        return train_tuned(prepared, spec, spec.algorithm, spec.hyperparameters, progress)
    return finish(prepared, spec, fit(prepared, spec.seed, spec.algorithm, spec.hyperparameters, progress), progress)
