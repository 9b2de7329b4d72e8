"""Time series: a number at each time.

What a step is, and whether times repeat within a series, shows only in training, which reads the rows.
"""

from modelmill.datasets.schema import Column, Schema
from modelmill.errors import Untrainable
from modelmill.jobs.catalogue.timeseries import points_needed
from modelmill.jobs.trainability.asked import Asked, Decision, refuse, require_target

FEATURES = ("number", "integer", "boolean", "category")
# Up to here the profile's count of distinct values is exact.
COUNTED = 9_000


def decide(schema: Schema, asked: Asked) -> Decision:
    """See `trainability.decide`."""
    target = _known(schema, "target", require_target(asked))
    time = _time(schema, asked.time)
    if asked.series is not None:
        _check_series(_known(schema, "series", asked.series))
    named = [("target", target.name), ("time", time.name), *([("series", asked.series)] if asked.series else [])]
    if len({name for _, name in named}) != len(named):
        refuse("series", "target, time and series must be three different columns")
    _check_features(schema, asked.features or [], {name for _, name in named})
    _check_target(schema, target, asked.horizon or 1)
    _check_repeats(schema, time, asked.series)
    return Decision(target.name, "forecasting", time=time.name)


def _known(schema: Schema, field: str, name: str) -> Column:
    column = schema.column(name)
    if column is None:
        known = ", ".join(column.name for column in schema.columns[:50])
        refuse(field, f"no column {name!r}; the dataset has {known}")
    return column


def _time(schema: Schema, name: str | None) -> Column:
    if name is not None:
        column = _known(schema, "time", name)
        if column.type != "timestamp":
            refuse("time", f"{name!r} is of type {column.type}, expected timestamps such as 2026-11-23")
    else:
        found = [column for column in schema.columns if column.type == "timestamp"]
        if not found:
            raise Untrainable("no column holds timestamps such as 2026-11-23; a time series needs one")
        if len(found) > 1:
            refuse("time", f"name one of the timestamp columns: {', '.join(each.name for each in found[:50])}")
        column = found[0]
    if column.nulls:
        raise Untrainable(f"{column.nulls} rows have no time in {column.name!r}; fill or remove them")
    return column


def _check_series(column: Column) -> None:
    if column.type not in ("category", "integer", "text"):
        refuse("series", f"{column.name!r} is of type {column.type}, expected names or whole numbers of series")
    if column.nulls:
        raise Untrainable(f"{column.nulls} rows name no series in {column.name!r}; fill or remove them")


def _check_features(schema: Schema, names: list[str], taken: set[str]) -> None:
    if len(set(names)) != len(names):
        refuse("features", "a column is named more than once")
    for name in names:
        column = _known(schema, "features", name)
        if name in taken:
            refuse("features", f"{name!r} is the target, the time or the series and cannot be a feature")
        if column.type not in FEATURES:
            refuse("features", f"{name!r} is of type {column.type}, expected numbers or categories")


def _check_target(schema: Schema, target: Column, horizon: int) -> None:
    if target.type not in ("number", "integer"):
        raise Untrainable(f"the target {target.name!r} is of type {target.type}; forecasting needs a number")
    if target.distinct <= 1:
        raise Untrainable(f"the target {target.name!r} has no two different values, so there is nothing to forecast")
    values, needed = schema.rows - target.nulls, points_needed(horizon)
    if values < needed:
        raise Untrainable(
            f"only {values} rows have a value in {target.name!r}; a horizon of {horizon} needs at least {needed} points"
        )


def _check_repeats(schema: Schema, time: Column, series: str | None) -> None:
    if schema.duplicate_rows:
        raise Untrainable(
            f"{schema.duplicate_rows} rows repeat others in every column, so their times are there twice; remove them"
        )
    counted = schema.rows if time.distinct <= COUNTED else schema.rows // 2
    if series is None and time.distinct < counted:
        raise Untrainable(
            f"{schema.rows} rows have only {time.distinct} different times in {time.name!r}; keep one row for each, or "
            "name the column `series` that tells several series apart"
        )
