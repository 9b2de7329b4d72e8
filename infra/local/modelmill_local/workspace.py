"""The state folder of one local cloud."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO


class StartError(Exception):
    """Why the local cloud cannot start, in one line for whoever started it."""


def new_secret() -> str:
    """A key that nobody has."""
    return "mm_" + secrets.token_urlsafe(32)


class Workspace:
    """Paths below the state folder, held by one local cloud at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"
        self.state = self.folder / "state"
        self.url = self.folder / "url"
        self.api_key = self.folder / "api_key"
        self.given = os.environ.get("MODELMILL_API_KEY", "")
        self._lock: IO[bytes] | None = None

    def open(self) -> None:
        """Make the folder, for its owner only, and keep other local clouds out. Raises: StartError."""
        try:
            for folder in (self.logs, self.state):
                folder.mkdir(parents=True, exist_ok=True)
            if self.folder.stat().st_mode & 0o077:
                self.folder.chmod(0o700)
            self._lock = (self.folder / "lock").open("ab")
        except OSError as error:
            what = f"the state folder {self.folder} cannot be written and kept private"
            raise StartError(f"{what}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"another modelmill is running on the state folder {self.folder}") from None

    def close(self) -> None:
        """Let others in."""
        self.url.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    def secret(self) -> str:
        """The first key: the environment's, else the one that the folder keeps."""
        kept = self.api_key.read_text("utf-8").strip() if self.api_key.is_file() else ""
        return self.given or kept or new_secret()

    def publish(self, url: str, secret: str) -> None:
        """Tell clients of this folder where the cloud is, and the key to nobody but its owner."""
        self.api_key.touch(0o600)
        self.api_key.chmod(0o600)
        self.api_key.write_text(secret, "utf-8")
        self.url.write_text(url, "utf-8")
