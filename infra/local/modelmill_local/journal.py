"""Writes what a request changed to SQLite before its answer leaves, and puts it back after a restart.

Table rows, objects, training job records and their logs are kept: a killed process loses nothing that it
acknowledged. Messages in queues are not: the sweep sends again what is past due.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.s3.models import FakeDeleteMarker, s3_backends

from modelmill_local.intrinsics import ACCOUNT, REGION
from modelmill_local.objects import ObjectFolder, StoredKey, Value

_SCHEMA = """
create table if not exists items (tbl text, key text, item text, primary key (tbl, key));
create table if not exists objects (
    bucket text, key text, position integer, state text, value blob, file text, primary key (bucket, key, position));
create table if not exists jobs (name text primary key, record text);
create table if not exists log_lines (stream text, timestamp integer, message text);
create index if not exists log_lines_by_stream on log_lines (stream);
"""


class Journal:
    """The durable copy of the local AWS's state."""

    def __init__(self, path: Path, files: ObjectFolder) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=normal")
        self._database.executescript(_SCHEMA)

    def note_items(self, operation: str, request: dict[str, Any]) -> None:
        """Keep the rows that a DynamoDB request has written; call it before anybody else writes."""
        rows = [(table, key, _item(table, key)) for table, key in sorted(set(_written(operation, request)))]
        with self._transaction() as database:
            for table, key, item in rows:
                if item is None:
                    database.execute("delete from items where tbl = ? and key = ?", (table, key))
                else:
                    database.execute("insert or replace into items values (?, ?, ?)", (table, key, item))

    def note_objects(self, changed: Iterable[tuple[str, str]]) -> None:
        """Keep the versions that these (bucket, key) pairs now have."""
        with self._transaction() as database:
            for bucket, key in set(changed):
                database.execute("delete from objects where bucket = ? and key = ?", (bucket, key))
                rows = [(bucket, key, position, *row) for position, row in enumerate(_versions(bucket, key))]
                database.executemany("insert into objects values (?, ?, ?, ?, ?, ?)", rows)
        self._files.collect()

    def note_job(self, name: str, record: dict[str, Any]) -> None:
        """Keep a training job's record."""
        with self._transaction() as database:
            database.execute("insert or replace into jobs values (?, ?)", (name, json.dumps(record)))

    def jobs(self) -> list[dict[str, Any]]:
        """The records of all training jobs."""
        return [json.loads(record) for (record,) in self._database.execute("select record from jobs order by rowid")]

    def note_log_lines(self, stream: str, lines: list[tuple[int, str]]) -> None:
        """Keep what a training job printed, with its times in milliseconds."""
        with self._transaction() as database:
            database.executemany("insert into log_lines values (?, ?, ?)", [(stream, *line) for line in lines])

    def log_streams(self) -> Iterator[tuple[str, list[tuple[int, str]]]]:
        """Every kept log stream with its lines, oldest first."""
        for (stream,) in self._database.execute("select distinct stream from log_lines").fetchall():
            found = self._database.execute(
                "select timestamp, message from log_lines where stream = ? order by rowid", (stream,)
            )
            yield stream, found.fetchall()

    def restore(self) -> None:
        """Put rows and objects back; the tables and buckets must be there."""
        tables = dynamodb_backends[ACCOUNT][REGION].tables
        for name, item in self._database.execute("select tbl, item from items"):
            if name in tables:
                tables[name].put_item(json.loads(item))
        buckets = s3_backends[ACCOUNT]["aws"].buckets
        objects = "select bucket, key, state, value, file from objects order by bucket, key, position"
        files = []
        for bucket, key, *row in self._database.execute(objects):
            files.append(row[-1])
            if bucket in buckets:
                found = buckets[bucket].keys
                found[key] = self._version(found, key, row)
        self._files.keep_only(name for name in files if name)

    def close(self) -> None:
        """Finish what is being written; nothing can be noted afterwards."""
        with self._lock:
            self._database.close()

    def _version(self, found: dict[str, Any], key: str, row: list[Any]) -> StoredKey | FakeDeleteMarker:
        state, value, file = json.loads(row[0]), row[1], row[2]
        changed = datetime.fromisoformat(state.pop("last_modified"))
        if state.pop("marker"):
            marker = FakeDeleteMarker(found[key])
            marker.name, marker.last_modified, marker._version_id = key, changed, state["_version_id"]
            return marker
        made = StoredKey(key, b"", account_id=ACCOUNT, region_name=REGION)
        metadata = state.pop("metadata")
        vars(made).update(state, last_modified=changed)
        made.set_metadata(metadata, replace=True)
        made.stored = Value(value if file is None else self._files.folder / file, state["contentsize"], self._files)
        return made

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._database, self._lock)


class _Transaction:
    def __init__(self, database: sqlite3.Connection, lock: threading.Lock) -> None:
        self._database = database
        self._lock = lock

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        self._database.execute("begin")
        return self._database

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._database.execute("commit" if kind is None else "rollback")
        finally:
            self._lock.release()


def _written(operation: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The (table, key) pairs that a request writes."""
    if operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            for name, body in action.items():
                if name != "ConditionCheck":
                    yield _key(body["TableName"], body.get("Key") or body["Item"])
    elif operation == "BatchWriteItem":
        for table, actions in request["RequestItems"].items():
            for action in actions:
                put = action.get("PutRequest")
                yield _key(table, put["Item"] if put else action["DeleteRequest"]["Key"])
    elif operation in ("PutItem", "UpdateItem", "DeleteItem"):
        yield _key(request["TableName"], request.get("Key") or request["Item"])


def _key(table: str, item: dict[str, Any]) -> tuple[str, str]:
    name = table.rpartition("/")[2]
    found = _table(name)
    names = [found.hash_key_attr, found.range_key_attr]
    return name, json.dumps({attribute: item[attribute] for attribute in names if attribute}, sort_keys=True)


def _item(table: str, key: str) -> str | None:
    found = _table(table)
    attributes = {name: DynamoType(value) for name, value in json.loads(key).items()}
    item = found.get_item(attributes[found.hash_key_attr], attributes.get(found.range_key_attr or ""))
    return None if item is None else dynamo_json_dump(item.to_json()["Attributes"])


def _table(name: str) -> Table:
    return dynamodb_backends[ACCOUNT][REGION].tables[name]


def _versions(bucket: str, key: str) -> Iterator[tuple[str, bytes | None, str | None]]:
    found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
    for version in found.keys.getlist(key, []) if found else []:
        state = {"last_modified": version.last_modified.isoformat(), "_version_id": version._version_id}
        if not isinstance(version, StoredKey):
            yield json.dumps(state | {"marker": True}), None, None
            continue
        state |= {name: getattr(version, name) for name in _FIELDS}
        text = json.dumps(state | {"marker": False, "metadata": dict(version.metadata)})
        data = version.stored.data
        yield (text, None, data.name) if isinstance(data, Path) else (text, data, None)


_FIELDS = (
    "_etag",
    "_is_versioned",
    "_storage_class",
    "bucket_name",
    "checksum_algorithm",
    "checksum_type",
    "checksum_value",
    "contentsize",
    "encryption",
)
