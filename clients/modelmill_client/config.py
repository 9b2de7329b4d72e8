"""Where the server is and which key opens it: arguments, then environment, then the state folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelmill_client.errors import ConfigurationError

STATE_FOLDER = ".modelmill"
URL_VARIABLE = "MODELMILL_URL"
KEY_VARIABLE = "MODELMILL_API_KEY"


@dataclass(frozen=True, slots=True)
class Connection:
    """An address and a key; `source` says where the address came from, for messages."""

    url: str
    api_key: str = field(repr=False)
    source: str


def resolve(url: str | None, api_key: str | None, state: Path, environ: Mapping[str, str] = os.environ) -> Connection:
    """The connection to use.

    The key in the state folder opens only the server of that folder: it is never sent anywhere else.

    Raises:
        ConfigurationError: no address, or no key for it.
    """
    local = _read(state / "url")
    if url:
        found, source = url, "the argument"
    elif environ.get(URL_VARIABLE):
        found, source = environ[URL_VARIABLE], URL_VARIABLE
    elif local is not None:
        found, source = local, str(state / "url")
    else:
        raise ConfigurationError(
            f"no server given: found no URL argument, no {URL_VARIABLE} and no {state / 'url'}; "
            "start one with `modelmill up` in this folder, or say where it is"
        )
    key = api_key or environ.get(KEY_VARIABLE)
    if not key and local is not None and local.rstrip("/") == found.rstrip("/"):
        key = _read(state / "api_key")
    if not key:
        raise ConfigurationError(f"no API key for {found}: give one as argument or in {KEY_VARIABLE}")
    return Connection(found.strip(), key.strip(), source)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
