"""One page of a list."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """Some items and, when there may be more, the cursor that continues after them."""

    items: list[Item]
    next_cursor: str | None = None
