"""Values as text for people."""

from collections.abc import Mapping
from typing import Any


def plain(text: str) -> str:
    """The text without control characters, which could steer the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def cell(value: object) -> str:
    """A value for a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    return plain(str(value))


def size(count: int | None) -> str:
    """A number of bytes."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are single numbers."""
    return {
        name: value for name, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def aliases(model: Mapping[str, Any]) -> str:
    """A model's aliases, each with the version that it points to."""
    moved = model.get("aliases") or {}
    return ", ".join(f"{name} → {alias['version']}" for name, alias in sorted(moved.items())) or "-"
