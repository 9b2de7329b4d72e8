"""Models, their versions, the aliases that serve them, and the ledger of alias moves."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from modelmill_client.errors import IntegrityError, NotFound, api_error
from modelmill_client.onnx_file import check_onnx_file
from modelmill_client.paging import pages
from modelmill_client.transport import Json, Transport, connection_failed, is_loopback
from modelmill_client.upload import Progress, fill_form
from modelmill_client.waiting import ended_as, snapshots

_ENDED = frozenset({"ready", "rejected", "expired", "quarantined"})


class Models:
    """`client.models`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        path: str | Path,
        name: str,
        *,
        labels: Sequence[str] | None = None,
        promote: bool = False,
        progress: Progress | None = None,
        wait: bool = True,
        timeout: float | None = 900.0,
    ) -> Json:
        """Sends an ONNX file as a new version of the model `name`; with `wait`, returns once it is ready.

        `labels` are the classes in the order of the scores that the model gives. The first good version of a model
        is live at once, later ones with `promote`. `progress(sent, size)` counts bytes.

        Raises:
            InvalidInput: there is no such file, it is empty or too large, or visibly something else than ONNX.
            UploadFailed: the storage refused the file; the version is deleted again.
            NotReady: with `wait`, the model was rejected; `code` and `resource["failure"]` say why.
        """
        path = Path(path)
        check_onnx_file(path)
        created = self.create_version(name, labels=labels, promote=promote)
        version = created["version"]
        fill_form(
            created["upload"],
            path,
            progress=progress,
            retry=self._transport.retry,
            undo=lambda: self.delete_version(name, version),
        )
        return self.wait(name, version, timeout=timeout) if wait else created

    def create_version(
        self,
        name: str,
        *,
        labels: Sequence[str] | None = None,
        promote: bool = False,
        idempotency_key: str | None = None,
    ) -> Json:
        """Registers a version; the answer's `upload` holds the form through which its ONNX file is to be sent."""
        body: Json = {"format": "onnx"}
        if labels is not None:
            body["labels"] = [*labels]
        if promote:
            body["promote"] = True
        return self._transport.create(f"{_path(name)}/versions", body, idempotency_key=idempotency_key)

    def wait(self, model: str, version: int, *, timeout: float | None = 900.0) -> Json:
        """The version once it can serve.

        Raises:
            NotReady: it was rejected, or its upload never came.
            WaitTimeout: it is still being validated after `timeout` seconds.
        """
        *_, found = self.watch(model, version, timeout=timeout)
        return check_ready(found)

    def watch(self, model: str, version: int, *, timeout: float | None = 900.0) -> Iterator[Json]:
        """The version each time that it has changed, until it is ready, rejected or expired."""
        what = f"version {version} of {model}"
        return snapshots(lambda: self.version(model, version), _ENDED, timeout=timeout, what=what)

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

    def report(self, model: str, version: int) -> Json:
        """How good a trained version is: metrics, curves, importance, warnings, and links to pictures of them."""
        return self._transport.get(f"{_path(model)}/versions/{version}/report")

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


def check_ready(version: Json) -> Json:
    """The version itself.

    Raises:
        NotReady: it ended in another way.
    """
    return ended_as("ready", version, f"version {version['version']} of {version['model']} is {version['status']}")


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
