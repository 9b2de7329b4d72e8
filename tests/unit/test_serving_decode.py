"""Instances of a request to tensors, and what is said of instances that do not fit."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelmill.datasets.values import MISSING
from modelmill.errors import FieldError, SignatureMismatch
from modelmill.models.signature import CALENDAR_PARTS
from modelmill.serving.calendar_parts import calendar_parts
from modelmill.serving.decode_columns import TabularDecoder
from modelmill_training.data import calendar
from tests.bundles import MIXED, signature_of

GOOD = {"age": 41.5, "sex": "b", "seen": "2026-11-23T01:02:03Z", "smoker": True, "visits": 7}


def decoder(columns: list[tuple[str, str]] = MIXED) -> TabularDecoder:
    return TabularDecoder(signature_of(columns, None))


def refusal(instances: list[Any], columns: list[tuple[str, str]] = MIXED) -> SignatureMismatch:
    with pytest.raises(SignatureMismatch) as caught:
        decoder(columns)(instances)
    return caught.value


def test_named_columns_in_any_order_and_arrays_in_signature_order_give_the_same_tensors():
    shuffled = dict(reversed(GOOD.items()))

    tensors = decoder()([GOOD, shuffled])
    from_arrays = decoder()([list(GOOD.values())] * 2)

    day = (datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(days=1)
    assert tensors["numeric"].tolist() == [[41.5, day, 2026, 11, 23, 0, 1, 1.0, 7.0]] * 2
    assert tensors["numeric"].dtype == np.float64
    assert tensors["categorical"].tolist() == [["b"], ["b"]]
    assert tensors["categorical"].dtype == object
    np.testing.assert_array_equal(tensors["numeric"], from_arrays["numeric"])
    np.testing.assert_array_equal(tensors["categorical"], from_arrays["categorical"])


def test_null_is_nan_in_numbers_and_empty_in_categories():
    tensors = decoder()([dict.fromkeys(GOOD)])

    assert np.isnan(tensors["numeric"]).all()
    assert tensors["categorical"].tolist() == [[""]]


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "timestamp", "category"])
def test_a_model_with_one_column(kind: str):
    value = {"boolean": False, "timestamp": "2026-01-01", "category": "é"}.get(kind, 3)

    tensors = decoder([("only", kind)])([{"only": value}, {"only": None}])

    (tensor,) = tensors.values()
    assert tensor.shape == (2, len(CALENDAR_PARTS) if kind == "timestamp" else 1)


def test_integers_beyond_the_precision_of_a_double_are_taken():
    tensors = decoder([("id", "integer")])([{"id": 2**63}, {"id": -(2**53) - 1}])

    assert tensors["numeric"].tolist() == [[2.0**63], [-(2.0**53)]]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("age", "41", "must be a number or null, got a string"),
        ("age", True, "must be a number or null, got a boolean"),
        ("age", [1], "must be a number or null, got an array"),
        ("visits", {}, "must be a number or null, got an object"),
        ("smoker", 1, "must be true or false or null, got a number"),
        ("sex", 3, "must be a string or null, got a number"),
        ("seen", 1.5, "got a number"),
        ("seen", "yesterday", "got 'yesterday'"),
        ("seen", "2026-13-01", "got '2026-13-01'"),
        ("seen", "0001-01-01T00:00:00+14:00", "got '0001-01-01T00:00:00+14:00'"),
    ],
)
def test_a_value_of_another_type_is_named(column: str, value: Any, told: str):
    for instance in (GOOD | {column: value}, list((GOOD | {column: value}).values())):
        error = refusal([list(GOOD.values()) if isinstance(instance, list) else GOOD, instance])

        assert [each.field for each in error.errors] == [f"instances[1].{column}"]
        assert told in error.errors[0].message


def test_every_column_of_the_first_bad_instance_is_named_with_the_expected_signature():
    bad = {"age": "x", "sex": None, "seen": None, "smoker": None, "extra": 1}

    error = refusal([GOOD, bad, {}])

    assert {each.field for each in error.errors} == {
        "instances[1].age",
        "instances[1].visits",
        "instances[1].extra",
    }
    assert "age (number), sex (category), seen (timestamp), smoker (boolean), visits (integer)" in error.detail


def test_at_most_twenty_columns_are_named():
    columns = [(f"c{place}", "number") for place in range(100)]

    assert len(refusal([{}], columns).errors) == 20


@pytest.mark.parametrize(
    ("instances", "field"),
    [
        ([1], "instances[0]"),
        (["text"], "instances[0]"),
        ([None], "instances[0]"),
        ([GOOD, [1]], "instances[1]"),
        ([[1]], "instances[0]"),
        ([GOOD, GOOD | {"more": 1}], "instances[1].more"),
    ],
)
def test_instances_of_a_wrong_form_are_named(instances: list[Any], field: str):
    assert refusal(instances).errors[0].field == field


def test_a_long_name_or_very_many_columns_do_not_make_a_long_answer():
    columns = [(f"column {place} " + "x" * 1000, "number") for place in range(500)]

    assert len(refusal([{"y" * 100_000: 1}], columns).detail) < 6000


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from([*GOOD, "other"]), inner, max_size=6),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.lists(JSON, min_size=1, max_size=4))
def test_anything_is_either_decoded_or_explained(instances: list[Any]):
    explained: tuple[FieldError, ...] = ()
    numbers = np.empty((0, 0))
    try:
        numbers = decoder()(instances)["numeric"]
    except SignatureMismatch as error:
        explained = error.errors

    assert explained or numbers.shape == (len(instances), 9)
    assert not np.isinf(numbers).any()


NUMBER = st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "age": NUMBER,
                "sex": st.none() | st.text(max_size=5),
                "seen": st.none() | st.datetimes().map(datetime.isoformat),
                "smoker": st.none() | st.booleans(),
                "visits": NUMBER,
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_every_value_that_the_signature_allows_lands_in_its_place(rows: list[dict[str, Any]]):
    tensors = decoder()(rows)

    for row, numbers, strings in zip(rows, tensors["numeric"], tensors["categorical"], strict=True):
        expected = [row["age"], *calendar_parts(row["seen"]), row["smoker"], row["visits"]]
        np.testing.assert_array_equal(numbers, [math.nan if value is None else float(value) for value in expected])
        assert strings.tolist() == ["" if row["sex"] in {None, *MISSING} else row["sex"]]


@settings(deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=20))
def test_training_and_serving_see_the_same_calendar(moments: list[datetime]):
    expected = calendar(np.array(moments, dtype="datetime64[us]"))

    given_parts = np.array([calendar_parts(moment.isoformat()) for moment in moments])

    np.testing.assert_array_equal(given_parts, expected)


def test_a_month_is_its_first_day():
    assert calendar_parts("2026-02") == calendar_parts("2026-02-01")
    for wrong in ("2026-13", "2026-2-1", "2026/02", "26-02-0"):
        with pytest.raises(ValueError):
            calendar_parts(wrong)


@settings(deadline=None)
@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-720, 840))
def test_an_offset_is_taken_into_account(moment: datetime, minutes: int):
    there = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))

    assert calendar_parts(there.isoformat()) == calendar_parts(moment.isoformat() + "Z")
