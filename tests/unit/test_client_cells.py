"""CSV cells become the values of a signature, and text for spreadsheets is defused."""

from typing import Any

import pytest

from modelmill_client.cells import CellError, escape, to_instance, to_value


def feature(kind: str) -> dict[str, Any]:
    return {"name": "x", "type": kind, "input": "numeric", "index": 0}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "1.5", 1.5),
        ("number", " 2 ", 2.0),
        ("number", "-1e3", -1000.0),
        ("number", "nan", None),
        ("integer", "3", 3),
        ("integer", "3.0", 3),
        ("integer", "9007199254740993", 9007199254740993),
        ("integer", "2.5", 2.5),
        ("boolean", "True", True),
        ("boolean", "no", False),
        ("boolean", "1", True),
        ("category", "007", "007"),
        ("category", "=SUM(A1)", "=SUM(A1)"),
        ("timestamp", "2026-01-02 03:04:05", "2026-01-02 03:04:05"),
    ],
)
def test_a_cell_becomes_the_type_of_its_column(kind: str, text: str, value: object) -> None:
    converted = to_value(text, feature(kind))

    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "category", "text", "timestamp"])
@pytest.mark.parametrize("text", ["", "  ", "NA", "null", " NaN "])
def test_a_cell_that_is_missing_is_null(kind: str, text: str) -> None:
    assert to_value(text, feature(kind)) is None


@pytest.mark.parametrize(("kind", "text"), [("number", "12 apples"), ("integer", "inf"), ("boolean", "maybe")])
def test_a_cell_of_another_type_is_named_with_what_was_expected(kind: str, text: str) -> None:
    with pytest.raises(CellError) as caught:
        to_value(text, feature(kind))

    assert "'x'" in str(caught.value)
    assert text in str(caught.value)
    assert "expected" in str(caught.value)


def test_an_instance_holds_only_the_columns_of_the_signature() -> None:
    row = {"x": "1", "truth": "yes"}

    assert to_instance(row, [feature("number")]) == {"x": 1.0}


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@SUM", "\tx", "\rx", "\n=x"])
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert escape(text) == "'" + text


@pytest.mark.parametrize("value", ["-1.5", "+3", "plain", "", -2.0, None, "1e-3"])
def test_numbers_and_plain_text_stay_as_they_are(value: object) -> None:
    assert escape(value) == value
