"""What is read from a good file: columns, their types, and the values under them."""

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from modelmill.datasets.formats import ReadLimits
from modelmill.datasets.schema import PARQUET_TYPES
from modelmill.datasets.table import connect
from tests.dataset_files import Uploads, types


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


@pytest.mark.parametrize(
    ("cells", "expected", "values"),
    [
        (["1", "-2", "+3"], "integer", [1, -2, 3]),
        (["0", "9223372036854775807", "-9223372036854775808"], "integer", [0, 2**63 - 1, -(2**63)]),
        (["1", "9223372036854775808"], "number", [1.0, 2.0**63]),
        (["12345678901234567890123", "1"], "number", [12345678901234567890123.0, 1.0]),
        ([" 1", "2 "], "integer", [1, 2]),
        (["1.5", ".5", "2.", "-1e3", "4"], "number", [1.5, 0.5, 2.0, -1000.0, 4.0]),
        (["1.0", "2.0"], "number", [1.0, 2.0]),
        (["0.1", "1e-320"], "number", [0.1, 1e-320]),
        (["00123", "45678"], "category", ["00123", "45678"]),
        (["1", "01"], "category", ["1", "01"]),
        (["1_000", "2"], "category", ["1_000", "2"]),
        (["0x1A", "2"], "category", ["0x1A", "2"]),
        (["1,5", "2,5"], "category", ["1,5", "2,5"]),
        (["1", "2", "many"], "category", ["1", "2", "many"]),
        (["true", "False", "TRUE"], "boolean", [True, False, True]),
        (["yes", "No"], "category", ["yes", "No"]),
        (["yes", "true"], "category", ["yes", "true"]),
        (["t", "f"], "category", ["t", "f"]),
        (["0", "1"], "integer", [0, 1]),
        (["2024-02-29", "2024-03-01"], "timestamp", [datetime(2024, 2, 29), datetime(2024, 3, 1)]),
        (
            ["2024-02", " 2024-12", "2024-03-02"],
            "timestamp",
            [datetime(2024, 2, 1), datetime(2024, 12, 1), datetime(2024, 3, 2)],
        ),
        (["2024-02", "2024-13"], "category", ["2024-02", "2024-13"]),
        (["2024-2", "2024-03"], "category", ["2024-2", "2024-03"]),
        (
            ["2024-01-01T00:30:00+02:00", "2024-01-01 10:00", "2024-01-01T10:00:00.25Z"],
            "timestamp",
            [datetime(2023, 12, 31, 22, 30), datetime(2024, 1, 1, 10), datetime(2024, 1, 1, 10, 0, 0, 250_000)],
        ),
        (["2024-02-30", "2024-03-01"], "category", ["2024-02-30", "2024-03-01"]),
        (["01/02/2024", "02/02/2024"], "category", ["01/02/2024", "02/02/2024"]),
        (["epoch", "2024-03-01"], "category", ["epoch", "2024-03-01"]),
        (["=1+1", "@x", "-2+3"], "category", ["=1+1", "@x", "-2+3"]),
        ([" a ", "b"], "category", [" a ", "b"]),
        (["größe", "名前", "🎉"], "category", ["größe", "名前", "🎉"]),
    ],
)
def test_a_column_has_the_narrowest_type_that_fits_every_cell(
    uploads: Uploads, cells: list[str], expected: str, values: list[Any]
) -> None:
    schema = uploads.read("x\n" + "".join(f'"{cell}"\n' for cell in cells))
    assert types(schema) == [expected]
    assert [value for (value,) in uploads.rows()] == values
    assert uploads.described() == [("x", PARQUET_TYPES[expected])]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("missing", ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>", " "])
def test_missing_cells_do_not_change_the_type(uploads: Uploads, form: str, missing: str) -> None:
    content = f'n,t\n1,x\n"{missing}","{missing}"\n'
    if form == "jsonl":
        content = f'{{"n":1,"t":"x"}}\n{{"n":"{missing}","t":"{missing}"}}\n'
    schema = uploads.read(content, form)
    assert types(schema) == ["integer", "category"]
    assert uploads.rows() == [(1, "x"), (None, None)]
    assert [column.nulls for column in schema.columns] == [1, 1]


def test_a_column_without_a_single_cell_is_an_empty_category(uploads: Uploads) -> None:
    [_, empty] = uploads.read("a,b\n1,\n2,NA\n").columns
    assert (empty.type, empty.nulls, empty.distinct, empty.top) == ("category", 2, 0, None)


def test_a_type_that_only_a_late_row_breaks_is_not_given(uploads: Uploads) -> None:
    schema = uploads.read("a,b,c\n" + "1,2,3\n" * 250_000 + "1.5,x,3\n")
    assert types(schema) == ["number", "category", "integer"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([f"colour {i % 9}" for i in range(100)], "category"),
        ([f"name {i}" for i in range(40)], "category"),
        ([f"ticket {i}" for i in range(100)], "text"),
        ([f"zip {i % 400}" for i in range(1_000)], "category"),
        ([f"word {i % 11_000}" for i in range(44_000)], "text"),
        ([f"a review of some length, number {i % 5}: " + "word " * 20 for i in range(100)], "text"),
    ],
)
def test_free_text_is_told_from_categories(uploads: Uploads, values: list[str], expected: str) -> None:
    [found] = uploads.read("x\n" + "".join(f'"{value}"\n' for value in values)).columns
    assert found.type == expected
    assert (found.top is None) == (expected == "text")
    assert (found.lengths is None) == (expected == "category")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_recognised(uploads: Uploads, delimiter: str, end: str) -> None:
    lines = ["a,b,c", '1,"x,;\t|",2.5', '2,"y\n""z""",3.5', ",,"]
    content = "\ufeff" + end.join(line.replace(",", delimiter) if "|" not in line else line for line in lines)
    if delimiter != ",":
        content = content.replace('1,"x,;\t|",2.5', f'1{delimiter}"x,;\t|"{delimiter}2.5')
    schema = uploads.read(content)
    assert [column.name for column in schema.columns] == ["a", "b", "c"]
    assert uploads.rows() == [(1, "x,;\t|", 2.5), (2, 'y\n"z"', 3.5), (None, None, None)]


def test_mixed_line_ends_and_empty_lines_are_read(uploads: Uploads) -> None:
    uploads.read('\n\r\na,b\r\n1,"x\r\ny"\n\n2,z\r3,w\r\n\r\n')
    assert uploads.rows() == [(1, "x\r\ny"), (2, "z"), (3, "w")]


def test_a_quote_after_a_space_is_text(uploads: Uploads) -> None:
    uploads.read('a,b\n1, "x"\n')
    assert uploads.rows() == [(1, ' "x"')]


def test_a_byte_order_mark_in_a_cell_stays(uploads: Uploads) -> None:
    uploads.read("a,b\n\ufeffx,1\n")
    assert uploads.rows() == [("\ufeffx", 1)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_within_quotes_of_a_large_file_stay_within_and_in_order(uploads: Uploads, end: str) -> None:
    text = end.join(f'{i},"x{i % 7}",{i % 3}' for i in range(9_000))
    rows = [(i, text[: len(text) - 37 * i], i % 5) for i in range(200)]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end).writerows([("a", "b", "c"), *rows])
    uploads.read(file.getvalue())
    assert uploads.rows() == rows


def test_in_a_single_column_an_empty_line_is_a_missing_cell(uploads: Uploads) -> None:
    uploads.read("\na\n1\n\n2\n")
    assert uploads.rows() == [(1,), (None,), (2,)]


def test_names_are_trimmed_and_never_run(uploads: Uploads) -> None:
    names = [
        '"; DROP TABLE x; --',
        "$(id)",
        "__import__('os')",
        "{0}",
        'q"uote',
        "select",
        "größe 名前",
        "a\nb",
        "rowid",
    ]
    header = ",".join('" ' + name.replace('"', '""') + ' "' for name in names)
    schema = uploads.read(f"{header}\n{','.join('1' for _ in names)}\n")
    assert [column.name for column in schema.columns] == names
    assert [name for name, _ in uploads.described()] == names


def test_json_lines_are_read_like_a_csv(uploads: Uploads) -> None:
    lines = [
        '{" id ":1,"b":"é\\n\\ud83d\\ude00"}',
        "",
        '{"c":true,"b":"007","d":"2024-01-01"}',
        '{"d":null," id ":2.5}',
    ]
    schema = uploads.read("\r\n".join(lines), "jsonl")
    assert [(column.name, column.type) for column in schema.columns] == [
        ("id", "number"),
        ("b", "category"),
        ("c", "boolean"),
        ("d", "timestamp"),
    ]
    assert uploads.rows() == [
        (1.0, "é\n😀", None, None),
        (None, "007", True, datetime(2024, 1, 1)),
        (2.5, None, None, None),
    ]


def test_parquet_keeps_the_types_that_it_declares(uploads: Uploads) -> None:
    select = """SELECT range::UTINYINT AS a, range::HUGEINT AS b, (range / 3)::DECIMAL(9, 2) AS c, range::FLOAT AS d,
        DATE '2024-01-01' AS e, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS f, range = 1 AS g, '1' AS h, '' AS i,
        'x'::ENUM ('x', 'y') AS j, TIMESTAMP_NS '2024-01-01 00:00:01' AS k, 'nan'::DOUBLE AS l, TIME '10:00:00' AS m
        FROM range(2)"""
    schema = uploads.read(uploads.made_by_duckdb(select), "parquet")
    assert types(schema) == [
        "integer", "number", "number", "number", "timestamp", "timestamp", "boolean",
        "category", "category", "category", "timestamp", "number", "category",
    ]  # fmt: skip
    assert [kind for _, kind in uploads.described()] == [PARQUET_TYPES[kind] for kind in types(schema)]
    day, before = datetime(2024, 1, 1), datetime(2023, 12, 31, 22)
    second = datetime(2024, 1, 1, 0, 0, 1)
    assert uploads.rows()[1] == (1, 1.0, 0.33, 1.0, day, before, True, "1", None, "x", second, None, "10:00:00")


def test_a_wide_table_is_read(uploads: Uploads) -> None:
    header = ",".join(f"c{i}" for i in range(250))
    schema = uploads.read(f"{header}\n" + f"{','.join(['1.5', 'x'] * 125)}\n" * 3)
    assert types(schema) == ["number", "category"] * 125


def test_the_engine_opens_nothing_but_the_given_files(tmp_path: Path) -> None:
    given, other = tmp_path / "given.csv", tmp_path / "other.csv"
    for path in (given, other):
        path.write_text("a\n1\n")
    with connect([given], tmp_path / "scratch", ReadLimits()) as connection:
        assert connection.execute(f"SELECT * FROM read_csv('{given}')").fetchall() == [(1,)]
        for forbidden in (
            f"SELECT * FROM read_csv('{other}')",
            f"COPY (SELECT 1) TO '{other}'",
            f"ATTACH '{other}'",
            "SELECT * FROM glob('/etc/*')",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SET allowed_paths = ['/etc/passwd']",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(forbidden)
