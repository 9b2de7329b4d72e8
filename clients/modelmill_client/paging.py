"""Lists that come in pages."""

from collections.abc import Iterator

from modelmill_client.transport import Json, Transport


def pages(transport: Transport, path: str, field: str, page_size: int | None = None) -> Iterator[Json]:
    """All items of a list, fetched page by page as they are asked for; `field` holds the items of a page."""
    cursor: str | None = None
    while True:
        page = transport.get(path, {"limit": page_size, "cursor": cursor})
        yield from page.get(field, [])
        cursor = page.get("next_cursor")
        if not cursor:
            return
