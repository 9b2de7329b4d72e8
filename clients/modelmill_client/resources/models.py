"""Models, their versions, the aliases that serve them, and the ledger of alias moves."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from modelmill_client.errors import IntegrityError, NotFound, api_error
from modelmill_client.paging import pages
from modelmill_client.transport import Json, Transport, connection_failed, is_loopback


class Models:
    """`client.models`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, page_size: int | None = None) -> Iterator[Json]:
        """All models."""
        return pages(self._transport, "/v1/models", "models", page_size)

    def get(self, model: str) -> Json:
        """One model with its aliases and its newest version."""
        return self._transport.get(_path(model))

    def delete(self, model: str) -> None:
        """Removes a model and all its versions."""
        self._transport.delete(_path(model))

    def versions(self, model: str, page_size: int | None = None) -> Iterator[Json]:
        """All versions of a model, newest first."""
        return pages(self._transport, f"{_path(model)}/versions", "versions", page_size)

    def version(self, model: str, version: int) -> Json:
        """One version with its signature, metrics, parity and lineage."""
        return self._transport.get(f"{_path(model)}/versions/{version}")

    def delete_version(self, model: str, version: int) -> None:
        """Removes a version; one that an alias points to is refused."""
        self._transport.delete(f"{_path(model)}/versions/{version}")

    def resolve(self, model: str, *, version: int | None = None, alias: str | None = None) -> Json:
        """The version with this number, or else the one under the alias (`live` by default).

        Raises:
            NotFound: the alias points nowhere.
        """
        if version is None:
            wanted = alias or "live"
            aliases = self.get(model).get("aliases", {})
            if wanted not in aliases:
                known = ", ".join(sorted(aliases)) or "none"
                raise NotFound(
                    f"model {model} has no alias {wanted!r} (it has: {known}); promote a version or name one",
                    status=404,
                    code="not_found",
                )
            version = aliases[wanted]["version"]
        return self.version(model, version)

    def promote(
        self, model: str, version: int, reason: str, *, alias: str = "live", expected_revision: int | None = None
    ) -> Json:
        """Points an alias to a version; with `expected_revision`, only if nobody has moved it since."""
        body: Json = {"version": version, "reason": reason}
        if expected_revision is not None:
            body["expected_revision"] = expected_revision
        return self._transport.put(f"{_path(model)}/aliases/{quote(alias, safe='')}", body)

    def rollback(self, model: str, reason: str, *, alias: str = "live") -> Json:
        """Points an alias back to what the ledger says was there before."""
        return self._transport.post(f"{_path(model)}/rollback", {"alias": alias, "reason": reason})

    def ledger(self, model: str, page_size: int | None = None) -> Iterator[Json]:
        """All moves of the model's aliases, newest first."""
        return pages(self._transport, f"{_path(model)}/ledger", "entries", page_size)

    def download(self, model: str, version: int, name: str, to: str | Path) -> Path:
        """Writes a file of the bundle to `to` (a file or an existing folder) and checks its sha256.

        Raises:
            IntegrityError: the bytes are not those that the version's manifest names.
        """
        expected = self.version(model, version).get("files", {}).get(name, {}).get("sha256")
        link = self._transport.get(f"{_path(model)}/versions/{version}/files/{quote(name, safe='')}")
        target = Path(to) / name if Path(to).is_dir() else Path(to)
        partial = target.with_name(target.name + ".part")
        try:
            digest = _fetch(link["url"], partial)
            if expected is not None and digest != expected:
                raise IntegrityError(f"{name} has the sha256 {digest}, the manifest says {expected}; download it again")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target


def _fetch(url: str, to: Path) -> str:
    """Streams the bytes behind a presigned link into a file and gives their sha256."""
    digest = hashlib.sha256()
    trust_env = not is_loopback(urlsplit(url).hostname or "")
    try:
        with httpx.stream("GET", url, timeout=60.0, trust_env=trust_env) as response, to.open("wb") as file:
            if not response.is_success:
                raise api_error(response.status_code, response.read().decode(errors="replace"))
            for chunk in response.iter_bytes():
                digest.update(chunk)
                file.write(chunk)
    except httpx.TransportError as error:
        raise connection_failed(url.partition("?")[0], error) from error
    return digest.hexdigest()


def _path(model: str) -> str:
    return f"/v1/models/{quote(model, safe='')}"
