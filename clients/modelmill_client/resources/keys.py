"""API keys."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from modelmill_client.paging import pages
from modelmill_client.transport import Json, Transport


class Keys:
    """`client.keys`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, scopes: Sequence[str]) -> Json:
        """A new key; its secret is in `key`, this once."""
        return self._transport.post("/v1/keys", {"name": name, "scopes": list(scopes)})

    def list(self, page_size: int | None = None) -> Iterator[Json]:
        """All keys, without their secrets."""
        return pages(self._transport, "/v1/keys", "keys", page_size)

    def revoke(self, key_id: str) -> None:
        """Makes a key useless within seconds."""
        self._transport.delete(f"/v1/keys/{quote(key_id, safe='')}")
