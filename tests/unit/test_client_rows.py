"""Rows to predict, read from CSV and JSON, and predictions written back."""

import csv
import io
import json
from typing import Any

import pytest

from modelmill_client.cli.columns import columns_of
from modelmill_client.cli.rows import CsvRows, json_lines, json_text
from modelmill_client.cli.writers import make_writer
from modelmill_client.errors import InvalidInput

FEATURES: list[dict[str, Any]] = [
    {"name": "größe", "type": "number", "input": "numeric", "index": 0},
    {"name": "city, state", "type": "category", "input": "categorical", "index": 0},
]
COLUMNS = columns_of({"kind": "tabular", "features": FEATURES})
CSV = '"city, state",id,größe\n"Ulm, BW",7,1.5\n"a ""quoted""\nname",8,\n'


def test_columns_are_found_by_name_and_the_others_are_listed() -> None:
    rows = CsvRows(io.StringIO(CSV), COLUMNS)

    assert rows.unused == ["id"]
    assert list(rows) == [
        (["Ulm, BW", "7", "1.5"], {"größe": 1.5, "city, state": "Ulm, BW"}),
        (['a "quoted"\nname', "8", ""], {"größe": None, "city, state": 'a "quoted"\nname'}),
    ]


def test_columns_that_the_model_does_not_know_may_share_a_name() -> None:
    [(cells, instance)] = CsvRows(io.StringIO('größe,"city, state",,\n1,Ulm,a,b\n'), COLUMNS)

    assert cells == ["1", "Ulm", "a", "b"]
    assert instance == {"größe": 1.0, "city, state": "Ulm"}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_recognised(delimiter: str) -> None:
    text = delimiter.join(['"city, state"', "größe"]) + "\n" + delimiter.join(["Ulm", "2"]) + "\n"

    [(_, instance)] = CsvRows(io.StringIO(text), COLUMNS)

    assert instance == {"größe": 2.0, "city, state": "Ulm"}


def test_a_header_may_go_over_two_lines() -> None:
    features = [{"name": "x\ny", "type": "integer", "input": "numeric", "index": 0}]
    columns = columns_of({"kind": "tabular", "features": features})

    rows = CsvRows(io.StringIO('"x\ny",z\n1,2\n3\n'), columns)

    with pytest.raises(InvalidInput, match="line 4 has 1 cells"):
        list(rows)


def test_blanks_around_names_and_empty_lines_above_them_do_not_matter() -> None:
    [(cells, instance)] = CsvRows(io.StringIO('\n\n größe , "city, state"\n1, Ulm\n'), COLUMNS)

    assert cells == ["1", "Ulm"]
    assert instance == {"größe": 1.0, "city, state": "Ulm"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("größe\n1\n", "lacks 'city, state'"),
        ("", "lacks"),
        ('größe,"city, state", größe\n1,Ulm,2\n', "more than one column 'größe'"),
        ('"city, state",größe\nUlm\n', "line 2 has 1 cells, expected 2"),
        ('"city, state",größe\nUlm,1\nUlm,big\n', "line 3: column 'größe' has 'big'"),
        ('"city, state",größe\n"Ulm,1\n', "line 2 is not CSV"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        list(CsvRows(io.StringIO(text), COLUMNS))


@pytest.mark.parametrize(
    ("text", "instances"),
    [
        ('{"a": 1}', [{"a": 1}]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('{"instances": [{"a": 1}]}', [{"a": 1}]),
        ("[1, 2]", [[1, 2]]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("[]", []),
    ],
)
def test_json_may_be_one_instance_or_many(text: str, instances: list[object]) -> None:
    assert json_text(text) == instances


@pytest.mark.parametrize("text", ["{", "null", '{"instances": [null]}'])
def test_json_that_holds_no_instance_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        json_text(text)


def test_json_lines_tell_the_line_that_is_wrong() -> None:
    lines = json_lines(io.StringIO('{"a": 1}\n\n{"a": \n'))

    assert next(lines) == {"a": 1}
    with pytest.raises(InvalidInput, match="line 3"):
        next(lines)


def test_csv_output_has_the_input_the_label_and_its_probabilities_and_no_formula() -> None:
    file = io.StringIO()
    writer = make_writer(file, "csv", ["name", "prediction"], ranked=False)

    writer.write(
        [["=cmd()", "-1"]], {"predictions": [{"label": "@home", "probabilities": {"@home": 0.75, "away": 0.25}}]}
    )

    header, row = csv.reader(io.StringIO(file.getvalue()))
    assert header == ["name", "prediction", "prediction_", "probability_@home", "probability_away"]
    assert row == ["'=cmd()", "-1", "'@home", "0.75", "0.25"]


def test_regression_output_has_the_value() -> None:
    file = io.StringIO()

    make_writer(file, "csv", ["x"], ranked=False).write([["1"]], {"predictions": [{"value": -2.5}]})

    assert file.getvalue() == "x,prediction\n1,-2.5\n"


@pytest.mark.parametrize(
    ("prediction", "header", "row"),
    [
        ({"label": "a", "scores": {"a": 2.5, "b": -1.0}}, ["prediction", "score_a", "score_b"], ["a", "2.5", "-1.0"]),
        ({"label": None, "probabilities": {"a": 0.5}}, ["prediction", "probability_a"], ["", "0.5"]),
        ({"value": [-2.5]}, ["value"], ["-2.5"]),
        ({"y": [1, -2], "y_1": 3, "text": "=1+1"}, ["y_0", "y_1", "y_1_", "text"], ["1", "-2", "3", "'=1+1"]),
        ({"label": 1, "probabilities": [0.1, None]}, ["label", "probabilities_0", "probabilities_1"], ["1", "0.1", ""]),
        ({"mask": [[True], [False]], "on": True}, ["mask", "on"], ["[[true], [false]]", "true"]),
        ({"=y": []}, [], []),
    ],
)
def test_predictions_of_uploaded_models_are_columns(
    prediction: dict[str, Any], header: list[str], row: list[str]
) -> None:
    file = io.StringIO()

    make_writer(file, "csv", ["id"], ranked=False).write([["7"]], {"predictions": [prediction]})

    assert list(csv.reader(io.StringIO(file.getvalue()))) == [["id", *header], ["7", *row]]


def test_scores_that_are_ranked_are_named_scores() -> None:
    file = io.StringIO()

    make_writer(file, "csv", [], ranked=True).write([[]], {"predictions": [{"label": "b", "scores": {"b": 9.0}}]})

    assert file.getvalue() == "prediction,top_1,top_1_score\nb,b,9.0\n"


def test_outputs_that_vary_in_size_are_no_csv() -> None:
    writer = make_writer(io.StringIO(), "csv", [], ranked=False)

    with pytest.raises(InvalidInput, match="--format jsonl"):
        writer.write([[], []], {"predictions": [{"y": [1, 2]}, {"y": [1, 2, 3]}]})


def test_json_output_is_one_answer_for_all_batches() -> None:
    file = io.StringIO()
    writer = make_writer(file, "json", [], ranked=False)

    writer.write([], {"predictions": [{"value": 1}], "model": "m", "version": 2})
    writer.write([], {"predictions": [{"value": 2}], "model": "m", "version": 2})
    writer.close()

    assert json.loads(file.getvalue()) == {"predictions": [{"value": 1}, {"value": 2}], "model": "m", "version": 2}
