"""From the dataset's files to windows, dealt into parts."""

from dataclasses import dataclass

import numpy as np

from modelmill.datasets.schema import Schema
from modelmill.jobs.catalogue import resolve_hyperparameters
from modelmill.jobs.catalogue.timeseries import MIN_WINDOW
from modelmill.jobs.spec import TrainingSpec
from modelmill.models.signature import Forecast, Signature, timeseries_signature
from modelmill_training.environment import Environment
from modelmill_training.failures import TrainingFailure
from modelmill_training.progress import Progress
from modelmill_training.timeseries.frame import Frame, fit_frame
from modelmill_training.timeseries.seasons import find_season
from modelmill_training.timeseries.series import Panel, read_panel
from modelmill_training.timeseries.windows import Form, Parts, cut, steps_needed, usable

# What null means for the horizon of series without seasons, and for the window at least.
USUAL_HORIZON = 12
USUAL_WINDOW = 16


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that does not depend on the algorithm."""

    panel: Panel
    frame: Frame
    parts: Parts
    signature: Signature

    @property
    def form(self) -> Form:
        """Of the windows."""
        return self.frame.form


def prepare(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Prepared:
    """Read the series, decide season, horizon and window, and cut windows.

    Raises:
        TrainingFailure: nothing can be learned from this.
    """
    panel = read_panel(environment, spec, schema)
    progress.report("prepare")
    form = _form(panel, spec)
    panel = usable(panel, form)
    parts = cut(panel, form, spec.seed)
    forecast = Forecast(
        spec.time or "", spec.target or "", spec.series, panel.frequency, window=form.window, horizon=form.horizon
    )
    signature = timeseries_signature(forecast, panel.features)
    return Prepared(panel, fit_frame(panel, form, parts.train), parts, signature)


def _form(panel: Panel, spec: TrainingSpec) -> Form:
    given = resolve_hyperparameters(spec.kind, spec.algorithm, spec.hyperparameters)
    season = given["season"] or find_season(panel)
    horizon = spec.horizon or (season if season > 1 else USUAL_HORIZON)
    if given["window"] is None:
        return _fitting(panel, season, horizon)
    if given["window"] < season:
        hint = f"a window of at least {season}, or name a shorter season"
        raise TrainingFailure(
            "window_too_short", f"The window of {given['window']} is shorter than a season: ask for {hint}."
        )
    return Form(given["window"], horizon, season)


def _fitting(panel: Panel, season: int, horizon: int) -> Form:
    """Two seasons of history where half of the series are long enough for it, one where they are not."""
    usual = float(np.median([len(each.values) for each in panel.series]))
    tried = [Form(max(USUAL_WINDOW, 2 * season), horizon, season), Form(max(MIN_WINDOW, season), horizon, season)]
    return next((form for form in tried if steps_needed(form) <= usual), tried[-1])
