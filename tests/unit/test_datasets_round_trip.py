"""Any table written as CSV or JSON Lines is read back cell for cell."""

import csv
import io
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelmill.datasets.values import MISSING
from tests.dataset_files import Uploads

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).filter(
    lambda text: text not in MISSING
)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "timestamp": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    # One word keeps the others from looking like numbers.
    "category": TEXT.map(lambda text: f"~{text}"),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[str], list[list[Any]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    names = draw(st.lists(TEXT.filter(str.strip), min_size=len(kinds), max_size=len(kinds), unique_by=_key))
    row = st.tuples(*(st.none() | CELLS[kind] for kind in kinds)).map(list)
    return [name.strip() for name in names], kinds, draw(st.lists(row, min_size=1, max_size=8))


def _key(name: str) -> str:
    return name.strip().lower()


def _text(value: Any) -> Any:
    return value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else value


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    table=tables(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_csv(table: tuple[list[str], list[str], list[list[Any]]], delimiter: str, end: str, quoting: Any) -> None:
    names, kinds, rows = table
    file = io.StringIO(newline="")
    if len(names) == 1:  # nothing but quotes then tells a delimiter from a character of the name
        delimiter, quoting = ",", csv.QUOTE_ALL
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(names)
    writer.writerows([["" if cell is None else _text(cell) for cell in row] for row in rows])
    _is_read_back(file.getvalue(), "csv", names, kinds, rows)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables(), ascii_only=st.booleans())
def test_json_lines(table: tuple[list[str], list[str], list[list[Any]]], ascii_only: bool) -> None:
    names, kinds, rows = table
    lines = [json.dumps(dict(zip(names, map(_text, row), strict=True)), ensure_ascii=ascii_only) for row in rows]
    _is_read_back("\n".join(lines), "jsonl", names, kinds, rows)


def _is_read_back(content: str, form: str, names: list[str], kinds: list[str], rows: list[list[Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        uploads = Uploads(Path(folder))
        schema = uploads.read(content, form)
        assert [column.name for column in schema.columns] == names
        assert uploads.rows() == [tuple(row) for row in rows]
        for place, (column, kind) in enumerate(zip(schema.columns, kinds, strict=True)):
            present = [row[place] for row in rows if row[place] is not None]
            assert column.nulls == len(rows) - len(present)
            assert column.type == (kind if present else "category")
