"""Choosing columns and turning them into numbers."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from modelmill.datasets.schema import Column
from modelmill.models.signature import CALENDAR_PARTS, Feature
from modelmill_training.data import Categories, Numbers, Table, Values, calendar, decode_column
from modelmill_training.parity import compare_probabilities, compare_values
from modelmill_training.tabular.columns import choose_features, is_id_like
from modelmill_training.tabular.features import MAX_CATEGORIES, fit_preprocessing


def numbers(*values: float) -> Numbers:
    return Numbers(np.array(values, dtype=np.float64)[:, None])


def words(*values: str | None) -> Categories:
    column = pa.chunked_array([pa.array(values, type=pa.string())]).dictionary_encode()
    decoded = decode_column(column, "category")
    assert isinstance(decoded, Categories)
    return decoded


@pytest.mark.parametrize(
    ("name", "kind", "values", "expected"),
    [
        ("customer_id", "integer", numbers(*range(100)), True),
        ("PassengerId", "integer", numbers(*range(100, 0, -1)), True),
        ("Unnamed: 0", "integer", numbers(*range(100)), True),
        ("x", "integer", numbers(*range(100)), False),
        ("width", "integer", numbers(*range(100)), False),
        ("customer_id", "integer", numbers(*([1, 2, 3, 4] * 25)), False),
        ("id", "integer", numbers(1, 2, 3), False),
        ("id", "number", numbers(*np.linspace(0, 1, 100)), False),
        ("code", "category", words(*(f"code {place}" for place in range(100))), True),
        ("code", "category", words(*["a", "b"] * 50), False),
        ("code", "category", words(*["a", None] * 50), False),
    ],
)
def test_columns_that_only_number_the_rows_are_known(name: str, kind: str, values: Values, expected: bool) -> None:
    distinct = len(np.unique(values.values if isinstance(values, Numbers) else values.codes))

    assert is_id_like(Column(name, kind, 0, distinct), values) is expected  # type: ignore[arg-type]


def test_long_ids_are_known_though_they_fall_together_as_doubles() -> None:
    ids = numbers(*(900_000_000_000_000_000 + 3 * place for place in range(100)))

    assert is_id_like(Column("customer_id", "integer", 0, 100), ids)


def test_numbers_far_from_zero_keep_their_differences_in_single_precision() -> None:
    column = np.arange(1_600_000_000_000.0, 1_600_000_001_000.0)
    feature = Feature("t", "integer", "numeric", 0)
    table = Table(len(column), {"t": Numbers(column[:, None])})

    matrix = fit_preprocessing([feature], table).matrix(table, scaled=False)

    assert len(np.unique(matrix)) == len(column)


def test_features_take_their_places_in_file_order() -> None:
    offered = [Column("a", "number", 0, 0), Column("w", "category", 0, 0), Column("t", "timestamp", 0, 0)]
    offered += [Column("b", "boolean", 0, 0), Column("v", "category", 0, 0)]
    moments = Numbers(calendar(np.array(["2024-02-29T13:30", "2025-01-01"], dtype="datetime64[us]")))
    columns: dict[str, Values] = {"a": numbers(1, 2), "w": words("x", "y"), "t": moments, "b": numbers(0, 1)}
    features, dropped = choose_features(offered, (), Table(2, {**columns, "v": words("x", None)}))
    assert [(feature.name, feature.input, feature.index) for feature in features] == [
        ("a", "numeric", 0),
        ("w", "categorical", 0),
        ("t", "numeric", 1),
        ("b", "numeric", 1 + len(CALENDAR_PARTS)),
        ("v", "categorical", 1),
    ]
    assert dropped == []


def test_timestamps_become_calendar_parts() -> None:
    moments = [datetime(1969, 12, 31, 23), datetime(2000, 2, 29, 12, 30), datetime(2026, 11, 23)]
    parts = calendar(np.array([*moments, None], dtype="datetime64[us]"))
    for moment, row in zip(moments, parts, strict=False):
        days = (moment - datetime(1970, 1, 1)) / timedelta(days=1)
        expected = [days, moment.year, moment.month, moment.day, moment.weekday(), moment.hour]
        assert dict(zip(CALENDAR_PARTS, row, strict=True)) == pytest.approx(
            dict(zip(("epoch_days", "year", "month", "day", "weekday", "hour"), expected, strict=True))
        )
    assert np.isnan(parts[3]).all()


def test_chunks_with_different_dictionaries_decode_to_the_same_words() -> None:
    chunks = [pa.array(["b", None, "a"]).dictionary_encode(), pa.array(["c", "", "b"]).dictionary_encode()]
    decoded = decode_column(pa.chunked_array(chunks), "category")
    assert isinstance(decoded, Categories)
    assert decoded.strings().tolist() == ["b", "", "a", "c", "", "b"]
    assert decoded.codes[[1, 4]].tolist() == [-1, -1]


def test_the_matrix_is_filled_scaled_and_one_hot() -> None:
    table = Table(4, {"a": numbers(1, np.nan, 3, 100), "w": words("x", None, "y", "x")})
    features, _ = choose_features([Column("a", "number", 0, 0), Column("w", "category", 0, 0)], (), table)
    preprocessing = fit_preprocessing(features, table)

    plain = preprocessing.matrix(table, scaled=False)
    scaled = preprocessing.matrix(table, scaled=True)

    assert plain.dtype == np.float32
    assert plain[:, 0].tolist() == [1, 3, 3, 100]
    assert scaled[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert scaled[:, 0].std() == pytest.approx(1)
    assert preprocessing.vocabularies == [["", "x", "y"]]
    assert plain[:, 1:].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_only_the_most_frequent_categories_get_a_place() -> None:
    values = [f"{place:03}" for place in range(300) for _ in range(1 + place // 100)]
    table = Table(len(values), {"w": words(*values)})
    features, _ = choose_features([Column("w", "category", 0, 0)], (), table)
    (vocabulary,) = fit_preprocessing(features, table).vocabularies
    assert vocabulary == [f"{place:03}" for place in range(200, 200 + MAX_CATEGORIES)]


def test_a_flipped_label_counts_only_where_the_source_was_sure() -> None:
    labels = ["a", "b"]
    source = np.array([[0.5, 0.5], [0.9, 0.1]])
    outputs = {"probabilities": source.astype(np.float32), "label": np.array(["b", "a"], dtype=object)}
    assert compare_probabilities(source, outputs, labels)["passed"]
    outputs["label"] = np.array(["a", "b"], dtype=object)
    report = compare_probabilities(source, outputs, labels)
    assert (report["passed"], report["label_flips"], report["within"]) == (False, 1, 0.5)


def test_one_row_in_a_thousand_may_differ() -> None:
    source = np.zeros((2000, 1))
    value = np.zeros((2000, 1), dtype=np.float32)
    value[:2] = 1
    report = compare_values(source, {"value": value}, deviation=1.0)
    assert (report["passed"], report["max_error"]) == (True, 1.0)
    assert {entry["row"] for entry in report["worst"][:2]} == {0, 1}
    value[2] = np.nan
    assert not compare_values(source, {"value": value}, deviation=1.0)["passed"]
