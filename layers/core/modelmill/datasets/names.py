"""What a column may be called."""

from modelmill.datasets.formats import MAX_NAME_CHARACTERS, ReadLimits
from modelmill.datasets.schema import Problem


def name_problems(names: list[str], limits: ReadLimits, line: int | None = None) -> list[Problem]:
    """What is wrong with these names; two that differ only in case count as the same, as in SQL."""
    if len(names) > limits.columns:
        message = f"the file has {len(names):,} columns, at most {limits.columns:,} are accepted"
        return [Problem("too_many_columns", message, line=line)]
    problems = []
    seen: dict[str, str] = {}
    for place, name in enumerate(names, 1):
        first = seen.get(name.lower())
        if not name:
            hint = "; a table written by pandas needs index=False" if place == 1 and line else ""
            problems.append(Problem("empty_header", f"column {place} has no name{hint}", line=line))
        elif len(name) > MAX_NAME_CHARACTERS or "\0" in name:
            message = f"the name of column {place} is longer than {MAX_NAME_CHARACTERS} characters or holds a NUL"
            problems.append(Problem("bad_header", message, line=line, column=name[:MAX_NAME_CHARACTERS]))
        elif first is not None:
            what = "is used twice" if first == name else f"differs from {first!r} only in case"
            problems.append(Problem("duplicate_header", f"the column name {name!r} {what}", line=line, column=name))
        else:
            seen[name.lower()] = name
    return problems[: limits.problems]
