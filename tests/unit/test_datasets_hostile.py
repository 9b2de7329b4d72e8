"""Files that cannot become a dataset say why, by code and line, and leave nothing behind."""

import bz2
import gzip
import lzma
import pickle
from pathlib import Path

import pytest

from tests.dataset_files import Uploads

LONG = "x" * 131_073


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("a,b\n1,2\n3\n4,5\n6,7,8\n", [("ragged_row", 3), ("ragged_row", 5)], id="ragged"),
        pytest.param('a,b\n"x\ny\nz",1\n\n"p\nq"\n', [("ragged_row", 6)], id="ragged after quoted line breaks"),
        pytest.param('a,b\r\n"x\r\ny",1\r\n1\r\n', [("ragged_row", 4)], id="ragged, CRLF"),
        pytest.param("a,b\r1,2\r3\r", [("ragged_row", 3)], id="ragged, CR"),
        pytest.param("a,b\n1,2,\n", [("ragged_row", 2)], id="trailing comma"),
        pytest.param("a,b\n1,2\n  \n", [("ragged_row", 3)], id="line of spaces"),
        pytest.param('a,b\n1,2\n3,"4\n5,6\n', [("unterminated_quote", 3)], id="open quote to the end"),
        pytest.param('a,b\n1,2\n3,"4', [("unterminated_quote", 3)], id="open quote on the last line"),
        pytest.param('a,b\n1,"2\n3,4\n5,"6"\n', [("unterminated_quote", 2)], id="open quote met by the next"),
        pytest.param('a,b\n1,"' + "x,y\n" * 100_000, [("unterminated_quote", 2)], id="open quote, long file"),
        pytest.param('"a,b\n1,2\n', [("unterminated_quote", 1)], id="open quote in the header"),
        pytest.param('a,b\n1\n"x"y,4\n', [("ragged_row", 2), ("stray_quote", 3)], id="text after a quote"),
        pytest.param(f"a,b\n1,2\n3,{LONG}\n", [("cell_too_long", 3)], id="long cell"),
        pytest.param(f'a,b\n1,"{"x" * 70_000}\n{"x" * 70_000}"\n', [("cell_too_long", 2)], id="long cell in quotes"),
        pytest.param("a\n1\n" + "y" * 2_100_000, [("line_too_long", 3)], id="long line"),
        pytest.param("a,b,a,\n1,2,3,4\n", [("duplicate_header", 1), ("empty_header", 1)], id="header"),
        pytest.param("age,Age\n1,2\n", [("duplicate_header", 1)], id="header in two cases"),
        pytest.param(" ,b\n1,2\n", [("empty_header", 1)], id="blank name"),
        pytest.param("\n\na,\n1\n", [("empty_header", 3), ("ragged_row", 4)], id="header below empty lines"),
        pytest.param(f"a,{'n' * 300}\n1,2\n", [("bad_header", 1)], id="long name"),
        pytest.param(",".join(f"c{i}" for i in range(1_001)) + "\n1\n", [("too_many_columns", 1)], id="columns"),
        pytest.param("a,b\n", [("no_rows", None)], id="only a header"),
        pytest.param("a,b", [("no_rows", None)], id="only a header, no line end"),
        pytest.param("", [("empty_file", None)], id="empty"),
        pytest.param("\ufeff", [("empty_file", None)], id="only a byte order mark"),
        pytest.param(" \n\t\r\n", [("empty_file", None)], id="white space"),
        pytest.param("a,b\n1,2\n\n3,inf\n", [("infinite_value", 4)], id="infinity"),
        pytest.param("a,b\n1,2\n3,-1e999\n", [("infinite_value", 3)], id="beyond a double"),
        pytest.param(b"a,b\n1,2\n3,\x00\n", [("encoding", 3)], id="NUL"),
        pytest.param(b"a,b\n1,2\n3,caf\xe9\n", [("encoding", 3)], id="Latin-1"),
        pytest.param(b"a,b\r\n1,2\r\n3,\xf0\x9f", [("encoding", 3)], id="cut UTF-8"),
        pytest.param(b"a,b\r1,2\r3,\xff\r", [("encoding", 3)], id="bad byte, CR"),
        pytest.param("a,b\n1,2\n".encode("utf-16"), [("encoding", 1)], id="UTF-16"),
        pytest.param("a,b\n1,2\n".encode("utf-16-le"), [("encoding", 1)], id="UTF-16 without a mark"),
        pytest.param("a,b\n1,2\n".encode("utf-32"), [("encoding", 1)], id="UTF-32"),
    ],
)
def test_a_bad_csv_is_rejected_with_code_and_line(
    uploads: Uploads, content: bytes | str, expected: list[tuple[str, int | None]]
) -> None:
    problems = uploads.problems(content)
    assert [(problem.code, problem.line) for problem in problems] == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param('{"a":1}\n{"a":\n\n{"a":2}}\n', [("invalid_json", 2), ("invalid_json", 4)], id="syntax"),
        pytest.param('{"a":1}\n[2]\n3\n', [("not_an_object", 2), ("not_an_object", 3)], id="no objects"),
        pytest.param('{"a":{"b":1}}\n{"a":[1]}\n', [("nested_value", 1), ("nested_value", 2)], id="nested"),
        pytest.param('{"a":' + "[" * 100_000 + "\n", [("nested_value", 1)], id="deep"),
        pytest.param('{"a":1}\n{"a":NaN}\n', [("invalid_json", 2)], id="NaN"),
        pytest.param("{}\nNaN\n", [("not_an_object", 2)], id="only NaN"),
        pytest.param('{"a":' + "9" * 5_000 + "}\n", [("invalid_json", 1)], id="digits"),
        pytest.param('{"a":1,"a":2}\n', [("duplicate_key", 1)], id="key twice"),
        pytest.param('{"a":1}\n{"A":2}\n', [("duplicate_header", None)], id="keys in two cases"),
        pytest.param('{"":1}\n', [("empty_header", None)], id="empty key"),
        pytest.param("{}\n{}\n", [("no_rows", None)], id="empty objects"),
        pytest.param('{"a":"\\ud800"}\n', [("encoding", 1)], id="half a surrogate pair"),
        pytest.param('{"a":"x"}\n{"a":"\\u0000"}\n', [("encoding", 2)], id="NUL"),
        pytest.param('\ufeff{"a":1}\n', [("encoding", 1)], id="byte order mark"),
        pytest.param('{"a":"' + LONG + '"}\n', [("cell_too_long", 1)], id="long cell"),
        pytest.param('{"a":1}\n{"a":1e999}\n', [("infinite_value", 2)], id="beyond a double"),
        pytest.param('[{"a":1}]', [("type_mismatch", None)], id="one array"),
    ],
)
def test_a_bad_json_lines_file_is_rejected_with_code_and_line(
    uploads: Uploads, content: str, expected: list[tuple[str, int | None]]
) -> None:
    problems = uploads.problems(content, "jsonl")
    assert [(problem.code, problem.line) for problem in problems] == expected


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"PK\x03\x04" + bytes(50),
        b"PAR1\x15\x04" + bytes(50) + b"PAR1",
        b"<!DOCTYPE html><html></html>",
        b'<?xml version="1.0"?><rows/>',
        gzip.compress(b"a,b\n1,2\n"),
        bz2.compress(b"a,b\n1,2\n"),
        lzma.compress(b"a,b\n1,2\n"),
        pickle.dumps({"a": 1}),
    ],
    ids=["png", "zip", "parquet", "html", "xml", "gzip", "bzip2", "xz", "pickle"],
)
def test_what_is_not_text_is_named(uploads: Uploads, form: str, content: bytes) -> None:
    [problem] = uploads.problems(content, form)
    assert problem.code == "type_mismatch"


def test_json_declared_as_csv_is_named(uploads: Uploads) -> None:
    [problem] = uploads.problems('{"a":1}\n')
    assert (problem.code, problem.message) == (
        "type_mismatch",
        "the dataset was declared as csv, but the file is JSON",
    )


def test_a_header_that_looks_like_a_signature_is_text(uploads: Uploads) -> None:
    schema = uploads.read("PAR1,ORC\n1,2\n")
    assert [column.name for column in schema.columns] == ["PAR1", "ORC"]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("SELECT [1] AS a, {'x': 1} AS b, MAP {'k': 1} AS c", ["nested_value"] * 3),
        ("SELECT 'x'::BLOB AS a, INTERVAL 1 DAY AS b", ["unsupported_type"] * 2),
        ("SELECT 1 AS a WHERE false", ["no_rows"]),
        ('SELECT 1 AS "a ", 2 AS "A"', ["duplicate_header"]),
        ("SELECT 'inf'::DOUBLE AS a, 'infinity'::TIMESTAMP AS b", ["infinite_value"] * 2),
        ("SELECT repeat('x', 200000) AS a", ["cell_too_long"]),
        ("SELECT range AS a FROM range(2000)", ["too_many_rows"]),
    ],
)
def test_a_parquet_file_that_is_no_table_is_rejected(uploads: Uploads, select: str, expected: list[str]) -> None:
    problems = uploads.problems(uploads.made_by_duckdb(select), "parquet", rows=1_000)
    assert [problem.code for problem in problems] == expected


@pytest.mark.parametrize("place", [-60, -9, 8])
def test_a_damaged_parquet_file_is_rejected(uploads: Uploads, place: int) -> None:
    content = bytearray(uploads.made_by_duckdb("SELECT range AS a, range || 'x' AS b FROM range(500)"))
    content[place : place + 4] = b"\xff\xff\xff\x7f"
    assert [problem.code for problem in uploads.problems(bytes(content), "parquet")] == ["unreadable"]


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b"PAR1", b"PAR1PAR1", b"PAR1" + bytes(40) + b"\xff\xff\xff\x7fPAR1"]
)
def test_what_is_not_parquet_is_rejected(uploads: Uploads, content: bytes) -> None:
    [problem] = uploads.problems(content, "parquet")
    assert problem.code in ("type_mismatch", "unreadable")


def test_at_most_twenty_problems_are_reported(uploads: Uploads) -> None:
    assert len(uploads.problems("a,b\n" + "1\n" * 100)) == 20


def test_rows_are_limited(uploads: Uploads) -> None:
    [problem] = uploads.problems("a\n" + "1\n" * 11, rows=10)
    assert problem.code == "too_many_rows"


def test_a_file_that_needs_too_much_memory_is_rejected(uploads: Uploads) -> None:
    row = ",".join(["x" * 10_000] * 100)
    [problem] = uploads.problems(",".join(f"c{i}" for i in range(100)) + "\n" + f"{row}\n" * 50, memory_mb=4)
    assert problem.code == "too_complex"


def test_messages_hold_no_path(uploads: Uploads) -> None:
    for content, form in ((b"a,b\n1\n", "csv"), (b"PAR1PAR1", "parquet"), (b"{", "jsonl")):
        for problem in uploads.problems(content, form):
            assert str(uploads.folder) not in problem.message
