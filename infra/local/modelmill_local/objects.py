"""Keeps the bytes of S3 objects in files, so that they cost no memory and outlive the process."""

import hashlib
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, cast

from moto.s3 import models
from moto.s3.models import FakeKey

_INLINE = 64 * 1024
_CHUNK = 1 << 20


@dataclass(frozen=True)
class StoredFile:
    """Bytes that already lie in the object folder."""

    path: Path
    size: int
    md5: str


class ObjectFolder:
    """The folder of the objects' files. What is given up is deleted only after `collect`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._given_up: list[Path] = []
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        """A path that nothing lies at."""
        return self.folder / uuid.uuid4().hex

    def store(self, data: bytes) -> StoredFile:
        """Write bytes to a file of their own."""
        path = self.new_path()
        path.write_bytes(data)
        return StoredFile(path, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())

    def store_stream(self, stream: IO[bytes]) -> StoredFile:
        """Write all that a stream gives to a file of its own."""
        path, size, md5 = self.new_path(), 0, hashlib.md5(usedforsecurity=False)
        with path.open("wb") as file:
            while piece := stream.read(_CHUNK):
                file.write(piece)
                md5.update(piece)
                size += len(piece)
        return StoredFile(path, size, md5.hexdigest())

    def give_up(self, path: Path) -> None:
        """Mark a file as no longer needed."""
        with self._lock:
            self._given_up.append(path)

    def collect(self) -> None:
        """Delete what was given up before this call; call it once no record names those files."""
        with self._lock:
            paths, self._given_up = self._given_up, []
        for path in paths:
            path.unlink(missing_ok=True)

    def keep_only(self, names: Iterable[str]) -> None:
        """Delete every file but these: what an unfinished request of an earlier run left."""
        kept = set(names)
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()


class Value:
    """An object's bytes: small ones in memory, others in a file. Reads like a file, as moto expects."""

    def __init__(self, data: bytes | Path, size: int, folder: ObjectFolder | None) -> None:
        self.data = data
        self.size = size
        self._folder = folder
        self._position = 0

    def all(self) -> bytes:
        """Every byte."""
        return self.data if isinstance(self.data, bytes) else self.data.read_bytes()

    def seek(self, position: int) -> None:
        """Where the next `read` starts."""
        self._position = position

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from the position on."""
        if isinstance(self.data, bytes):
            end = len(self.data) if size < 0 else self._position + size
            piece = self.data[self._position : end]
        else:
            with self.data.open("rb") as file:
                file.seek(self._position)
                piece = file.read(size)
        self._position += len(piece)
        return piece

    def borrow(self) -> "Value":
        """The same bytes for another owner, whose end does not give the file up."""
        return Value(self.data, self.size, None)

    def close(self) -> None:
        """The object is gone."""
        if self._folder is not None and isinstance(self.data, Path):
            self._folder.give_up(self.data)
            self._folder = None


class StoredKey(FakeKey):
    """moto's S3 object with its bytes in a `Value`.

    Remembers which keys a thread has made. Where `arrived` is set, the thread's next object has those bytes instead
    of the empty ones that moto was given.
    """

    files: ClassVar[ObjectFolder]
    made: ClassVar[threading.local] = threading.local()
    arrived: ClassVar[threading.local] = threading.local()

    def __init__(self, name: str, value: Any, *args: Any, **named: Any) -> None:
        given: Any = self.take_arrived() or value
        super().__init__(name, given, *args, **named)
        if self.bucket_name is not None:
            self.made.keys = [*getattr(self.made, "keys", []), (self.bucket_name, name)]

    @classmethod
    def take_made(cls) -> list[tuple[str, str]]:
        """The (bucket, key) pairs that this thread has made since the last call."""
        made: list[tuple[str, str]] = getattr(cls.made, "keys", [])
        cls.made.keys = []
        return made

    @classmethod
    def take_arrived(cls) -> StoredFile | None:
        """The bytes that wait for this thread's next object."""
        file: StoredFile | None = getattr(cls.arrived, "file", None)
        cls.arrived.file = None
        return file

    @property
    def value(self) -> bytes:
        """The object's bytes."""
        return self.stored.all()

    @value.setter
    def value(self, new: bytes | StoredFile) -> None:
        if isinstance(new, bytes | bytearray) and len(new) > _INLINE:
            new = self.files.store(new)
        if isinstance(new, StoredFile):
            self.stored = Value(new.path, new.size, self.files)
            self._etag = self._etag or new.md5
        else:
            self.stored = Value(bytes(new), len(new), None)
        self.contentsize = self.stored.size

    @property
    def stored(self) -> Value:
        """Where the bytes are."""
        return cast(Value, self._value_buffer)

    @stored.setter
    def stored(self, value: Value) -> None:
        self._value_buffer = value  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> "StoredKey":
        copied = object.__new__(StoredKey)
        copied.__dict__.update(self.__dict__, disposed=True)
        copied.stored = self.stored.borrow()
        return copied


def keep_in(folder: ObjectFolder) -> None:
    """From now on, make moto's S3 keep its objects in `folder`."""
    StoredKey.files = folder
    models.FakeKey = StoredKey  # type: ignore[misc]
