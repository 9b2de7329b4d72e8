"""What datasets and base models share: a file is sent once, checked, and then ready for ever."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from modelmill_client.errors import NotFound, NotReady
from modelmill_client.paging import pages
from modelmill_client.transport import Json, Transport
from modelmill_client.upload import Progress, fill_form
from modelmill_client.waiting import snapshots

_ENDED = frozenset({"ready", "rejected", "expired", "deleted"})


class Kind(NamedTuple):
    """How the API calls them: the path of all, the field that lists them, their ids, and what one is for people."""

    path: str
    listed: str
    id: str
    prefix: str
    noun: str


class Uploaded:
    """The calls that both have."""

    def __init__(self, transport: Transport, kind: Kind) -> None:
        self._transport = transport
        self._kind = kind

    def list(self, page_size: int | None = None) -> Iterator[Json]:
        """All of them, newest first."""
        return pages(self._transport, self._kind.path, self._kind.listed, page_size)

    def get(self, resource_id: str) -> Json:
        """One of them, in full."""
        return self._transport.get(f"{self._kind.path}/{quote(resource_id, safe='')}")

    def find(self, id_or_name: str) -> Json:
        """The one with this id, or else the newest one with this name.

        Raises:
            NotFound: neither exists.
        """
        if re.fullmatch(rf"{self._kind.prefix}-[0-9a-hjkmnp-tv-z]{{26}}", id_or_name):
            return self.get(id_or_name)
        for found in self.list():
            if found["name"] == id_or_name:
                return self.get(found[self._kind.id])
        message = f"there is no {self._kind.noun} with the id or name {id_or_name!r}"
        raise NotFound(message, status=404, code="not_found")

    def delete(self, resource_id: str) -> None:
        """Removes the bytes; models that were trained with it stay."""
        self._transport.delete(f"{self._kind.path}/{quote(resource_id, safe='')}")

    def wait(self, resource_id: str, *, timeout: float | None = 900.0) -> Json:
        """The one with this id once it is ready.

        Raises:
            NotReady: it was rejected, or its upload never came; `resource["problems"]` says why.
            WaitTimeout: it is still being validated after `timeout` seconds.
        """
        *_, found = self.watch(resource_id, timeout=timeout)
        if found["status"] != "ready":
            problems = "; ".join(problem["message"] for problem in found.get("problems", [])[:3])
            told = f"{self._kind.noun} {resource_id} is {found['status']}"
            raise NotReady(told + (f": {problems}" if problems else ""), resource=found)
        return found

    def watch(self, resource_id: str, *, timeout: float | None = 900.0) -> Iterator[Json]:
        """The one with this id each time that it has changed, until it is ready, rejected, expired or deleted."""
        return snapshots(
            lambda: self.get(resource_id), _ENDED, timeout=timeout, what=f"{self._kind.noun} {resource_id}"
        )

    def _send(self, created: Json, path: Path, progress: Progress | None) -> None:
        """Fill the form of what was just created, which is taken back where the storage refuses the file."""
        fill_form(
            created["upload"],
            path,
            progress=progress,
            retry=self._transport.retry,
            undo=lambda: self.delete(created[self._kind.id]),
        )


def default_name(path: Path, otherwise: str) -> str:
    """A name from a file's: lower case, everything but letters and digits as '-'."""
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:63].rstrip("-")
    return name or otherwise
