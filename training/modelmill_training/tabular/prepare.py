"""From the dataset's files to a split table with its preprocessing."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modelmill.datasets.schema import Schema
from modelmill.jobs.spec import TrainingSpec
from modelmill_training.data import Integers, Table, decode_column, read_arrow
from modelmill_training.environment import Environment
from modelmill_training.failures import TrainingFailure
from modelmill_training.progress import Progress
from modelmill_training.split import Split, hash_rows, split_rows
from modelmill_training.tabular.algorithms import Rows
from modelmill_training.tabular.columns import choose_features, is_id_like, offered_columns
from modelmill_training.tabular.features import Preprocessing, fit_preprocessing
from modelmill_training.target import Target, decode_target, no_target


@dataclass(frozen=True, slots=True)
class Prepared:
    """All rows that have a target, or all where there is none, dealt into parts, and what the training part says.

    present_rows: [N] the place of each row in the dataset.
    """

    schema: Schema
    table: Table
    target: Target
    split: Split
    preprocessing: Preprocessing
    dropped: list[dict[str, str]]
    present_rows: Integers

    @property
    def missing_target_rows(self) -> int:
        """Rows left out because there is nothing to learn from them."""
        return len(self.target.present) - self.target.rows

    @property
    def classes(self) -> int:
        """How many; 0 for regression."""
        return len(self.target.labels or [])

    def rows(self, indexes: Integers, *, scaled: bool) -> Rows:
        """Features and target of some rows."""
        features = self.preprocessing.matrix(self.table.take(indexes), scaled=scaled)
        return Rows(features, self.target.values[indexes])

    @property
    def deviation(self) -> float:
        """Of the training target, as the unit of errors."""
        return float(np.std(self.target.values[self.split.train])) or 1.0


def prepare(environment: Environment, spec: TrainingSpec, schema: Schema, progress: Progress) -> Prepared:
    """Read, choose columns, split, and learn the preprocessing from the training part.

    Raises:
        TrainingFailure: nothing can be learned from this.
    """
    offered = offered_columns(schema, spec.target or spec.ignored_target, spec.features)
    targets = [spec.target] if spec.target else []
    arrow = read_arrow(environment.data_file, schema, [*targets, *(column.name for column in offered)])
    progress.report("prepare")
    target = _target(arrow, schema, spec)
    columns = {column.name: decode_column(arrow.column(column.name), column.type) for column in offered}
    table = Table(len(target.present), columns).take(target.present)
    asked_for = spec.features is not None
    id_like = {column.name for column in offered if not asked_for and is_id_like(column, table.columns[column.name])}
    identity = hash_rows([values for name, values in table.columns.items() if name not in id_like], target.values)
    split = split_rows(identity, target.strata, spec.seed)
    if len(split.test) == 0:
        rows = "Every class occurs only once, or in rows" if spec.target else "There are only rows"
        raise TrainingFailure("too_few_rows", f"{rows} that repeat each other: nothing is left to test on.")
    training = table.take(split.train)
    features, dropped = choose_features(offered, id_like, training)
    preprocessing = fit_preprocessing(features, training)
    return Prepared(schema, table, target, split, preprocessing, dropped, np.flatnonzero(target.present))


def _target(arrow: Any, schema: Schema, spec: TrainingSpec) -> Target:
    if spec.target is None:
        return no_target(arrow.num_rows)
    kinds = {column.name: column.type for column in schema.columns}
    return decode_target(arrow.column(spec.target), kinds[spec.target], spec.task)
