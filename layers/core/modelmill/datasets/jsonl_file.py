"""JSON Lines: one flat object per line; a key that an object lacks is a missing cell."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from modelmill.datasets.formats import MAX_CELL_CHARACTERS, ReadLimits
from modelmill.datasets.names import name_problems
from modelmill.datasets.schema import Problem, Rejected
from modelmill.datasets.table import Table, identifier, literal
from modelmill.datasets.text import check_text
from modelmill.datasets.values import MISSING

_MISSING = literal("|".join(map(re.escape, MISSING)))


def open_jsonl(path: Path, limits: ReadLimits, _scratch: Path) -> Table:
    """The table in a JSON Lines file: columns in the order in which keys first appear.

    Raises:
        Rejected: every problem found, up to the limit.
    """
    check_text(path, limits)
    keys: dict[str, Any] = {}
    problems: list[Problem] = []
    rows = 0
    for line, text in _lines(path):
        row, found = _parse(text, line)
        problems += found
        keys.update(row)
        rows += 1
        if len(problems) >= limits.problems or len(keys) > limits.columns or rows > limits.rows:
            break
    names = [key.strip() for key in keys]
    problems += name_problems(names, limits)
    if rows > limits.rows:
        problems.append(Problem("too_many_rows", f"the file has more than {limits.rows:,} rows"))
    if not problems and not keys:
        problems.append(Problem("no_rows", "no object in the file has a key"))
    if problems:
        raise Rejected(tuple(problems[: limits.problems]))
    cells = [f"CASE WHEN {identifier(key)} NOT SIMILAR TO {_MISSING} THEN {identifier(key)} END" for key in keys]
    return Table(names, _relation(path, list(keys), limits), cells, rows, partial(_find, path, list(keys)))


def _relation(path: Path, keys: list[str], limits: ReadLimits) -> str:
    columns = ", ".join(f"{identifier(key)}: 'VARCHAR'" for key in keys)
    return f"""read_json({literal(path)}, format = 'newline_delimited', compression = 'none', records = true,
        maximum_object_size = {2 * limits.line_bytes}, columns = {{{columns}}})"""


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, text in enumerate(lines, 1):
            if not text.isspace():
                yield number, text


_SCALARS = {str, int, float, bool, type(None)}
_SURROGATE = re.compile("[\ud800-\udfff]")
# Objects become tuples of pairs, so that repeated keys show and arrays, which become lists, can be told apart.
# NaN and Infinity, which Python takes for JSON, become types.
_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=lambda name: type(name, (), {}))


def _parse(text: str, line: int) -> tuple[dict[str, Any], list[Problem]]:
    """The object and what is wrong with it."""
    if text.startswith("\ufeff"):
        message = "the file begins with a byte order mark, which JSON forbids; save it as UTF-8 without one"
        return {}, [Problem("encoding", message, line=line)]
    try:
        pairs = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return {}, [Problem("invalid_json", f"{error.msg} at character {error.pos + 1}", line=line)]
    except ValueError:
        return {}, [Problem("invalid_json", "a number has thousands of digits", line=line)]
    except RecursionError:
        return {}, [Problem("nested_value", "arrays or objects are nested too deeply", line=line)]
    if type(pairs) is not tuple:
        message = f'found {_kind(pairs)} where an object was expected, such as {{"age": 41}}'
        return {}, [Problem("not_an_object", message, line=line)]
    if "\\u" in text and not all(_is_text(part) for pair in pairs for part in pair):
        return {}, [Problem("encoding", "a text holds a NUL or half a surrogate pair", line=line)]
    row = dict(pairs)
    problems = []
    if len(row) != len(pairs):
        problems.append(Problem("duplicate_key", "the object has a key twice", line=line))
    if len(text) > MAX_CELL_CHARACTERS or not _SCALARS.issuperset(map(type, row.values())):
        problems += [problem for key, value in row.items() if (problem := _cell_problem(key, value, line))]
    return row, problems


def _cell_problem(key: str, value: object, line: int) -> Problem | None:
    if isinstance(value, type):
        message = f"{value.__name__} is not JSON; leave the key out or write null"
        return Problem("invalid_json", message, line=line, column=key)
    if isinstance(value, list | tuple):
        return Problem("nested_value", f"a cell cannot hold {_kind(value)}", line=line, column=key)
    if isinstance(value, str) and len(value) > MAX_CELL_CHARACTERS:
        message = f"a cell has more than {MAX_CELL_CHARACTERS:,} characters"
        return Problem("cell_too_long", message, line=line, column=key)
    return None


def _is_text(value: object) -> bool:
    return not isinstance(value, str) or ("\0" not in value and not _SURROGATE.search(value))


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return "an object"
    return "an array" if isinstance(value, list) else f"the value {json.dumps(value, default=str)[:40]}"


def _find(path: Path, keys: list[str], column: int, test: Callable[[str], bool]) -> int | None:
    for line, text in _lines(path):
        value = dict(_DECODER.decode(text)).get(keys[column])
        if value is not None and test(str(value)):
            return line
    return None
