"""Versions that wait for an upload: who wins where two write at once, and that an end is final."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from modelmill import lease
from modelmill.aws.dynamodb import Table
from modelmill.errors import Conflict, ModelmillError
from modelmill.models.promotion import live_move
from modelmill.models.registry import ModelVersion
from tests.cloud import TENANT, Cloud
from tests.model_uploads import asked, row, under_way

FAILURE = {"code": "c", "message": "m"}


def begun(cloud: Cloud, number: int, now: float = 1000) -> ModelVersion:
    """A version whose validation has begun."""
    version = cloud.model_uploads.begin_validation(TENANT, "m", number, now)
    assert version
    return version


def accept(cloud: Cloud, version: ModelVersion) -> bool:
    ready = replace(version, status="ready", manifest_sha256="0" * 64)
    move = live_move(cloud.registry, ready, True, "key", "its upload")
    return cloud.model_uploads.accept(version, ready, move, 0)


ENDS: dict[str, Callable[[Cloud, ModelVersion], bool]] = {
    "ready": accept,
    "rejected": lambda cloud, version: cloud.model_uploads.reject(version, FAILURE, 0),
    "expired": lambda cloud, version: cloud.model_uploads.expire(version, 0),
}


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_of_two_ends_the_first_stands_and_leaves_the_count_once(cloud: Cloud, first: str, second: str) -> None:
    number, _ = asked(cloud)
    waiting = row(cloud, number)
    version = waiting if first == "expired" else begun(cloud, number)

    ended = [ENDS[end](cloud, seen) for end, seen in ((first, version), (second, version), (second, waiting))]

    assert ended == [True, False, False]
    assert row(cloud, number).status == first
    assert under_way(cloud) == 0
    assert cloud.registry.delete_model(TENANT, "m")


def test_nobody_begins_what_has_ended_or_what_another_works_on(cloud: Cloud) -> None:
    (working, _), (ended, _) = asked(cloud), asked(cloud)
    begun(cloud, working)
    cloud.model_uploads.expire(row(cloud, ended), 0)

    assert cloud.model_uploads.begin_validation(TENANT, "m", working, 1000 + lease.SECONDS) is None
    assert cloud.model_uploads.begin_validation(TENANT, "m", ended, 1000) is None
    assert cloud.model_uploads.begin_validation(TENANT, "m", 99, 1000) is None


def test_a_renewed_lease_holds_longer(cloud: Cloud) -> None:
    number, _ = asked(cloud)
    version = begun(cloud, number)

    assert cloud.model_uploads.renew(version, 1030)

    assert cloud.model_uploads.begin_validation(TENANT, "m", number, 1030 + lease.SECONDS) is None
    assert cloud.model_uploads.begin_validation(TENANT, "m", number, 1031 + lease.SECONDS)


def test_an_attempt_that_lost_its_lease_can_change_nothing(cloud: Cloud) -> None:
    number, _ = asked(cloud)
    first = begun(cloud, number)
    second = begun(cloud, number, now=2000)

    assert not cloud.model_uploads.renew(first, 2001)
    assert not accept(cloud, first)
    assert not cloud.model_uploads.reject(first, FAILURE, 0)
    cloud.model_uploads.look_again(first, 1)
    assert (second.attempts, row(cloud, number).status) == (2, "validating")
    assert accept(cloud, second)
    assert under_way(cloud) == 0


def test_an_alias_that_has_moved_keeps_the_version_from_becoming_ready(cloud: Cloud) -> None:
    (first, _), (second, _) = asked(cloud), asked(cloud)
    one, two = begun(cloud, first), begun(cloud, second)
    stale = live_move(cloud.registry, one, False, "key", "its upload")
    assert accept(cloud, two)

    refused = cloud.model_uploads.accept(one, replace(one, status="ready"), stale, 0)

    assert not refused
    assert row(cloud, first).status == "validating"
    assert under_way(cloud) == 1


def before_next(monkeypatch: pytest.MonkeyPatch, table: Table, call: str, act: Callable[[], Any]) -> list[Any]:
    """Let somebody act just before the next such call to the table; what came of it."""
    real, results = getattr(table, call), []

    def late(*given: Any) -> Any:
        monkeypatch.setattr(table, call, real)
        results.append(act())
        return real(*given)

    monkeypatch.setattr(table, call, late)
    return results


def test_whoever_is_overtaken_while_taking_a_number_takes_the_next(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create() -> int:
        return cloud.model_uploads.create(ModelVersion(TENANT, "m", 0, "awaiting_upload", ""), 5, None, 0).version

    faster = before_next(monkeypatch, cloud.table, "transact", create)

    assert (create(), faster) == (2, [1])
    assert under_way(cloud) == 2


def test_what_is_deleted_just_before_is_not_validated(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = asked(cloud)
    deleted = before_next(monkeypatch, cloud.table, "transact", lambda: cloud.registry.delete_model(TENANT, "m"))

    begun_too = cloud.model_uploads.begin_validation(TENANT, "m", number, 1000)

    assert (deleted, begun_too) == ([True], None)
    assert under_way(cloud) == 0


def test_what_is_validated_just_before_is_not_deleted(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = asked(cloud)
    validating = before_next(monkeypatch, cloud.table, "write", lambda: begun(cloud, number))

    deleted = cloud.registry.delete_model(TENANT, "m")

    assert not deleted
    assert accept(cloud, *validating)
    assert cloud.registry.alias(TENANT, "m", "live")


def test_a_model_that_is_being_deleted_takes_no_new_version(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(cloud)
    refused: list[ModelmillError] = []
    every = cloud.table.all

    def meanwhile(pk: str, prefix: str) -> Any:
        try:
            cloud.model_uploads.create(ModelVersion(TENANT, "m", 0, "awaiting_upload", ""), 5, None, 0)
        except Conflict as error:
            refused.append(error)
        return every(pk, prefix)

    monkeypatch.setattr(cloud.table, "all", meanwhile)

    assert cloud.registry.delete_model(TENANT, "m")
    assert len(refused) == 2
    assert under_way(cloud) == 0
