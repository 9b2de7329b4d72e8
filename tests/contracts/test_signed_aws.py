"""DynamoDB and S3 without boto3 do what they do with it: the same tests over both, on moto."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest

from modelmill.aws.boto_dynamodb import BotoDynamoDB
from modelmill.aws.bundle_reader import BundleReader
from modelmill.aws.dynamodb import Calls, ConditionFailed, Table
from modelmill.aws.refusals import Refused
from modelmill.aws.registry import TableRegistry
from modelmill.aws.signed import SignedAws, StoredObjects
from modelmill.aws.tenancy import TableKeys
from modelmill.aws.writes import ABSENT, Condition, Delete, Put, Update
from modelmill.models.registry import ModelVersion
from modelmill.tenancy.keys import hash_secret
from tests.cloud import TENANT, Cloud
from tests.signed_setup import ENVIRONMENT, moto_over_http


class Reached(NamedTuple):
    """A cloud, and the calls that reach its table in one of the two ways."""

    cloud: Cloud
    calls: Calls
    objects: StoredObjects

    @property
    def table(self) -> Table:
        return Table(self.calls, "table")


@pytest.fixture(params=["signed", "boto3"])
def reached(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[Reached]:
    with moto_over_http() as url:
        aws = SignedAws(ENVIRONMENT | {"AWS_ENDPOINT_URL": url})
        calls = aws.dynamodb() if request.param == "signed" else BotoDynamoDB(boto3.client("dynamodb"))
        yield Reached(cloud, calls, aws.objects("store"))
        aws.close()


def test_what_is_written_is_read(reached: Reached) -> None:
    item = {"pk": "a", "sk": "é😀", "n": 3, "f": 1.5, "none": None, "list": [True, {"deep": "x"}], "text": '"\\\x00'}

    reached.table.write(Put(item))

    assert reached.table.get(("a", "é😀")) == {name: value for name, value in item.items() if value is not None}
    assert reached.table.get(("a", "b")) is None


def test_counters_come_back_as_they_are_now(reached: Reached) -> None:
    added = [reached.table.write(Update(("a", "b"), add={"n": 2, "m": 0}))["n"] for _ in range(3)]

    assert added == [2, 4, 6]
    assert reached.table.write(Delete(("a", "b"))) == {}


def test_a_condition_that_does_not_hold(reached: Reached) -> None:
    reached.table.write(Put({"pk": "a", "sk": "b"}, ABSENT))

    with pytest.raises(ConditionFailed):
        reached.table.write(Put({"pk": "a", "sk": "b"}, ABSENT))


def test_a_transaction_tells_which_conditions_failed(reached: Reached) -> None:
    reached.table.write(Put({"pk": "a", "sk": "2", "n": 1}))
    never = Condition("#n > :least", {"least": 5})

    with pytest.raises(ConditionFailed) as error:
        reached.table.transact([Put({"pk": "a", "sk": "1"}), Update(("a", "2"), {"n": 9}, when=never)])

    assert error.value.failed == (1,)
    assert reached.table.get(("a", "1")) is None


def test_pages_follow_each_other_to_the_end(reached: Reached) -> None:
    for number in range(5):
        reached.table.write(Put({"pk": "a", "sk": f"X#{number}"}))
    reached.table.write(Put({"pk": "a", "sk": "Y#1"}))

    first = reached.table.page("a", "X#", 2, None)
    second = reached.table.page("a", "X#", 2, first.next_cursor)

    assert [item["sk"] for item in first.items + second.items] == ["X#4", "X#3", "X#2", "X#1"]
    assert len(list(reached.table.all("a", "X#"))) == 5


def test_what_dynamodb_refuses_names_the_code(reached: Reached) -> None:
    with pytest.raises(Refused) as error:
        reached.calls("GetItem", {"TableName": "nowhere", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}})

    assert error.value.code == "ResourceNotFoundException"


def test_keys_and_versions_are_found(reached: Reached) -> None:
    cloud, registry = reached.cloud, TableRegistry(reached.table)
    job = cloud.queued_job()
    number = cloud.jobs.number_version(job)
    cloud.jobs.complete(job, ModelVersion(TENANT, "m", number, "ready", "now", job.job_id), None, 0)

    keys = TableKeys(reached.table)

    found = keys.find(hash_secret(cloud.secret))
    assert found is not None
    assert (found.key_id, found.tenant) == (cloud.key.key_id, TENANT)
    assert keys.find(hash_secret("mm_other")) is None
    assert keys.use(TENANT, "2026-11", 3) == (3, 0)
    assert keys.use(TENANT, "2026-11", 4) == (7, 0)
    version = registry.version(TENANT, "m", number)
    assert version is not None
    assert version.status == "ready"
    assert registry.alias(TENANT, "m", "live") is None
    assert [model.model for model in registry.models(TENANT, 10, None).items] == ["m"]


# ---------------------------------------------------------------- objects


@pytest.mark.parametrize("key", ["plain", "a b+c/é😀&?#%41=", "a//b/../c", "~-._!*'()"])
def test_objects_are_read_by_any_key(reached: Reached, key: str) -> None:
    reached.cloud.store.write(key, b"content")

    assert b"".join(reached.objects.pieces(key)) == b"content"


def test_a_large_object_comes_in_pieces(reached: Reached) -> None:
    content = os.urandom(3 * 1024 * 1024 + 17)
    reached.cloud.store.write("large", content)

    pieces = list(reached.objects.pieces("large"))

    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 1024 * 1024


def test_an_object_that_is_left_half_read_disturbs_nothing(reached: Reached) -> None:
    reached.cloud.store.write("large", b"x" * 5_000_000)
    reached.cloud.store.write("small", b"y")

    next(reached.objects.pieces("large"))

    assert b"".join(reached.objects.pieces("small")) == b"y"


VERSION = ModelVersion("a", "b", 1, "ready", "now")


@pytest.mark.parametrize("size", [0, 3, 2_500_000])
def test_files_of_a_bundle_come_whole(reached: Reached, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    reached.cloud.store.write("models/a/b/1/file", content)

    BundleReader(reached.objects).fetch(VERSION, "file", tmp_path / "file", size)

    assert (tmp_path / "file").read_bytes() == content


def test_of_a_file_that_is_too_large_only_a_part_is_fetched(reached: Reached, tmp_path: Path) -> None:
    reached.cloud.store.write("models/a/b/1/file", b"x" * 5_000_000)

    BundleReader(reached.objects).fetch(VERSION, "file", tmp_path / "file", 1_000)

    assert 1_000 < (tmp_path / "file").stat().st_size < 2_000_000


def test_a_file_that_is_not_there(reached: Reached, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^absent$"):
        BundleReader(reached.objects).fetch(VERSION, "absent", tmp_path / "absent", 1_000)
