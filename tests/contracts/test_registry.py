"""Versions, aliases and the ledger, over HTTP and in the table."""

import pytest

from modelmill.models.promotion import plan_move
from modelmill.models.registry import Alias, ModelVersion
from tests.cloud import TENANT, Cloud


def ready(cloud: Cloud, *versions: int, status: str = "ready") -> None:
    """Versions of model m, as admission leaves them."""
    for number in versions:
        job = cloud.queued_job()
        assert cloud.jobs.number_version(job) == number
        version = ModelVersion(TENANT, "m", number, status, "2026-11-23T00:00:00Z", job.job_id)  # type: ignore[arg-type]
        live = cloud.registry.alias(TENANT, "m", "live")
        move = None if live or status != "ready" else plan_move(None, "live", number, "first", "key", "first")
        assert cloud.jobs.complete(job, version, move, 0)


def promote(cloud: Cloud, version: int, **more: object) -> int:
    """Status of a promotion."""
    body = {"version": version, "reason": "better"} | more
    return cloud.call("PUT", "/v1/models/m/aliases/live", body).status


def live(cloud: Cloud) -> int:
    """The version that is served."""
    version: int = cloud.call("GET", "/v1/models/m").body["aliases"]["live"]["version"]
    return version


def test_numbers_are_given_once_per_job(cloud: Cloud) -> None:
    first, second = cloud.queued_job(), cloud.queued_job()

    numbers = [cloud.jobs.number_version(job) for job in (first, second, first)]

    assert numbers == [1, 2, 1]


def test_the_first_good_version_is_live_and_later_ones_wait(cloud: Cloud) -> None:
    ready(cloud, 1, 2)

    assert live(cloud) == 1


def test_promotion_is_in_the_ledger_with_who_and_why(cloud: Cloud) -> None:
    ready(cloud, 1, 2)

    answer = cloud.call("PUT", "/v1/models/m/aliases/live", {"version": 2, "reason": "better recall"})

    assert answer.body == {"alias": "live", "version": 2, "revision": 2, "previous_version": 1}
    newest = cloud.call("GET", "/v1/models/m/ledger").body["entries"][0]
    assert (newest["from_version"], newest["to_version"], newest["reason"]) == (1, 2, "better recall")
    assert newest["by"] == cloud.key.key_id


def test_promoting_what_is_live_changes_nothing(cloud: Cloud) -> None:
    ready(cloud, 1)

    answer = cloud.call("PUT", "/v1/models/m/aliases/live", {"version": 1, "reason": "again"})

    assert answer.body == {"alias": "live", "version": 1, "revision": 1, "previous_version": 1}
    assert len(cloud.call("GET", "/v1/models/m/ledger").body["entries"]) == 1


def test_rollback_goes_back_step_by_step_through_the_ledger(cloud: Cloud) -> None:
    ready(cloud, 1, 2, 3)
    promote(cloud, 2)
    promote(cloud, 3)
    served = []

    for _ in range(2):
        assert cloud.call("POST", "/v1/models/m/rollback", {"reason": "worse"}).status == 200
        served.append(live(cloud))
    nothing_left = cloud.call("POST", "/v1/models/m/rollback", {"reason": "worse"})

    assert served == [2, 1]
    assert nothing_left.status == 409


def test_rollback_passes_over_versions_that_were_deleted(cloud: Cloud) -> None:
    ready(cloud, 1, 2, 3)
    promote(cloud, 2)
    promote(cloud, 3)
    cloud.call("DELETE", "/v1/models/m/versions/2")

    cloud.call("POST", "/v1/models/m/rollback", {"reason": "worse"})

    assert live(cloud) == 1


def test_a_revision_that_was_not_seen_is_refused(cloud: Cloud) -> None:
    ready(cloud, 1, 2)

    assert promote(cloud, 2, expected_revision=7) == 409
    assert promote(cloud, 2, expected_revision=1) == 200


def test_of_two_moves_from_the_same_state_one_wins(cloud: Cloud) -> None:
    ready(cloud, 1, 2, 3)
    seen = cloud.registry.alias(TENANT, "m", "live")
    moves = [plan_move(seen, "live", version, "promote", "key", "race") for version in (2, 3)]

    won = [cloud.registry.move(TENANT, "m", move) for move in moves]

    assert won == [True, False]
    assert live(cloud) == 2
    assert len(cloud.call("GET", "/v1/models/m/ledger").body["entries"]) == 2


def test_an_alias_never_points_at_what_is_not_ready(cloud: Cloud) -> None:
    ready(cloud, 1)
    ready(cloud, 2, status="rejected")

    assert promote(cloud, 2) == 409
    assert promote(cloud, 9) == 404
    assert not cloud.registry.move(TENANT, "m", plan_move(Alias("live", 1, 1, ""), "live", 2, "promote", "k", "r"))


def test_a_served_version_cannot_be_deleted_and_another_can(cloud: Cloud) -> None:
    ready(cloud, 1, 2)
    cloud.store.write(f"models/{TENANT}/m/2/model.onnx", b"x")

    assert cloud.call("DELETE", "/v1/models/m/versions/1").status == 409
    assert cloud.call("DELETE", "/v1/models/m/versions/2").status == 204
    assert cloud.call("GET", "/v1/models/m/versions/2").status == 404
    assert list(cloud.store.objects(f"models/{TENANT}/m/2/")) == []


def test_a_deleted_model_is_gone_and_its_numbers_are_not_used_again(cloud: Cloud) -> None:
    ready(cloud, 1)
    assert cloud.call("DELETE", "/v1/models/m").status == 204
    assert cloud.call("GET", "/v1/models/m").status == 404
    assert cloud.call("GET", "/v1/models").body["models"] == []

    ready(cloud, 2)

    assert live(cloud) == 2


@pytest.mark.parametrize("alias", ["..", "LIVE", "a b", "%2e%2e"])
def test_alias_names_follow_the_rule(cloud: Cloud, alias: str) -> None:
    ready(cloud, 1)

    answer = cloud.call("PUT", f"/v1/models/m/aliases/{alias}", {"version": 1, "reason": "x"})

    assert answer.status in (404, 422)
