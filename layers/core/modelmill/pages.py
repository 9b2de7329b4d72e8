"""One page of a list."""

from typing import NamedTuple


class Page[Item](NamedTuple):
    """Some items and, when there may be more, the cursor that continues after them."""

    items: list[Item]
    next_cursor: str | None = None
