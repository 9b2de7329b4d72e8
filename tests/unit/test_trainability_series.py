"""Which columns of a dataset make time series, and what is refused before anything is started."""

from dataclasses import replace
from typing import Any

import pytest

from modelmill.datasets.schema import Column, Schema
from modelmill.errors import InvalidRequest, Untrainable
from modelmill.jobs.trainability import Asked, decide

COLUMNS = {
    "day": Column("day", "timestamp", 0, 100),
    "shop": Column("shop", "category", 0, 2),
    "sales": Column("sales", "number", 0, 90),
    "price": Column("price", "number", 5, 80),
    "note": Column("note", "text", 0, 100),
}
ASKED = Asked("sales", None, "auto", "auto")


def schema(rows: int = 100, duplicates: int = 0, **changes: Column | None) -> Schema:
    columns = {**COLUMNS, **changes}
    return Schema("timeseries", rows, duplicates, [column for column in columns.values() if column is not None])


def test_the_task_is_forecasting_and_the_time_the_only_timestamp() -> None:
    decision = decide(schema(), ASKED)
    assert (decision.target, decision.task, decision.time) == ("sales", "forecasting", "day")
    assert decide(schema(200), ASKED._replace(series="shop", features=["price"], horizon=20)).time == "day"


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"target": None}, "target", "is required"),
        ({"target": "sale"}, "target", "no column 'sale'"),
        ({"time": "daytime"}, "time", "no column 'daytime'"),
        ({"time": "price"}, "time", "is of type number, expected timestamps"),
        ({"series": "nobody"}, "series", "no column 'nobody'"),
        ({"series": "price"}, "series", "is of type number"),
        ({"series": "sales"}, "series", "is of type number"),
        ({"features": ["price", "price"]}, "features", "more than once"),
        ({"features": ["sales"]}, "features", "cannot be a feature"),
        ({"features": ["note"]}, "features", "expected numbers or categories"),
        ({"features": ["weather"]}, "features", "no column 'weather'"),
    ],
)
def test_a_request_that_does_not_fit_names_the_field(asked: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        decide(schema(), ASKED._replace(**asked))
    assert [error.field for error in caught.value.errors] == [field]


def test_several_timestamps_ask_for_a_name() -> None:
    with pytest.raises(InvalidRequest, match="name one of the timestamp columns: day, shipped"):
        decide(schema(shipped=Column("shipped", "timestamp", 0, 90)), ASKED)


@pytest.mark.parametrize(
    ("given", "asked", "message"),
    [
        (schema(day=None), {}, "no column holds timestamps"),
        (schema(day=replace(COLUMNS["day"], nulls=3)), {}, "3 rows have no time"),
        (schema(shop=replace(COLUMNS["shop"], nulls=2)), {"series": "shop"}, "2 rows name no series"),
        (schema(sales=Column("sales", "category", 0, 9)), {}, "forecasting needs a number"),
        (schema(sales=Column("sales", "number", 0, 1)), {}, "no two different values"),
        (schema(), {"horizon": 40}, "only 100 rows .* a horizon of 40 needs at least 131 points"),
        (schema(200), {}, "200 rows have only 100 different times .* name the column `series`"),
        (schema(duplicates=2), {"series": "shop"}, "2 rows repeat others"),
    ],
)
def test_what_cannot_be_learned_is_told(given: Schema, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(Untrainable, match=message):
        decide(given, ASKED._replace(**asked))


@pytest.mark.parametrize("field", ["time", "series", "horizon"])
def test_what_is_of_time_series_alone_is_refused_elsewhere(field: str) -> None:
    table = Schema("tabular", 100, 0, list(COLUMNS.values()))

    with pytest.raises(InvalidRequest, match="is for datasets of kind timeseries"):
        decide(table, ASKED._replace(**{field: 3 if field == "horizon" else "day"}))
