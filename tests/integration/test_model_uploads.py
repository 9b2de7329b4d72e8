"""Bringing a model of one's own: asking for a version, its states, its quota, deleting it. Over HTTP, on moto."""

import base64
import json
from typing import Any

import pytest

from modelmill.models.registry import ModelVersion
from modelmill.models.uploads import UPLOAD_SECONDS
from modelmill.tenancy.keys import create_key
from tests.cloud import TENANT, Cloud
from tests.model_uploads import (
    MODEL,
    REFUSAL,
    Admission,
    arrived,
    asked,
    live,
    ready,
    sent,
    under_way,
    version,
)

ONNX = {"format": "onnx"}


def test_a_version_is_made_with_a_form_for_exactly_one_key(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/models/m/versions", ONNX)

    assert answer.status == 201
    assert (answer.body["model"], answer.body["version"], answer.body["status"]) == ("m", 1, "awaiting_upload")
    fields = answer.body["upload"]["fields"]
    assert fields["key"] == f"models/{TENANT}/m/1"
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert ["content-length-range", 1, cloud.limits.model_bytes] in policy["conditions"]
    assert version(cloud, 1)["status"] == "awaiting_upload"


def test_an_uploaded_model_becomes_ready_and_the_first_one_is_live(cloud: Cloud) -> None:
    number, key = sent(cloud, labels=["no", "yes"])
    admission = Admission()

    arrived(cloud, key, admission)

    found = version(cloud, number)
    assert (found["status"], found["task"], found["algorithm"]) == ("ready", "binary", "uploaded")
    assert (found["labels"], found["signature"]["kind"]) == (["no", "yes"], "tensor")
    assert admission.labels == [["no", "yes"]]
    assert live(cloud) == 1
    assert cloud.store.read(f"models/{TENANT}/m/1/model.onnx") == MODEL
    assert cloud.uploads.size(key) is None
    assert under_way(cloud) == 0


def test_the_ledger_says_who_uploaded_what_went_live(cloud: Cloud) -> None:
    ready(cloud)
    ready(cloud, promote=True)

    newest, first = cloud.call("GET", "/v1/models/m/ledger").body["entries"]

    assert (first["kind"], first["to_version"], first["by"]) == ("first", 1, cloud.key.key_id)
    assert (newest["kind"], newest["from_version"], newest["to_version"]) == ("promote", 1, 2)


def test_later_versions_are_served_only_where_that_was_asked_for(cloud: Cloud) -> None:
    ready(cloud)

    ready(cloud)
    unasked = live(cloud)
    ready(cloud, promote=True)

    assert (unasked, live(cloud)) == (1, 3)


def test_a_refused_model_says_why_and_is_not_served(cloud: Cloud) -> None:
    number, key = sent(cloud)

    arrived(cloud, key, Admission(REFUSAL))

    found = version(cloud, number)
    assert (found["status"], found["failure"]) == (
        "rejected",
        {"code": "external_data", "message": "model.onnx refers to tensors outside of the file"},
    )
    assert live(cloud) is None
    assert list(cloud.store.objects("")) == []
    assert cloud.uploads.size(key) is None
    assert under_way(cloud) == 0


def test_the_first_good_version_goes_live_after_a_bad_one(cloud: Cloud) -> None:
    arrived(cloud, sent(cloud)[1], Admission(REFUSAL))

    number = ready(cloud)

    assert (number, live(cloud)) == (2, 2)


def test_uploads_and_training_share_the_numbers_of_a_model(cloud: Cloud) -> None:
    ready(cloud)

    trained = cloud.jobs.number_version(cloud.queued_job())
    uploaded, _ = asked(cloud)

    assert (trained, uploaded) == (2, 3)


def test_a_repeated_call_makes_one_version_and_gives_a_fresh_form(cloud: Cloud) -> None:
    first = cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")
    second = cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")
    other_model = cloud.call("POST", "/v1/models/n/versions", ONNX, idempotency_key="k")
    other_body = cloud.call("POST", "/v1/models/m/versions", ONNX | {"promote": True}, idempotency_key="k")

    assert (first.status, second.status, second.body["version"]) == (201, 201, 1)
    assert second.body["upload"]["fields"]["key"] == first.body["upload"]["fields"]["key"]
    assert other_model.body["code"] == other_body.body["code"] == "idempotency_mismatch"
    assert cloud.call("GET", "/v1/models/m").body["latest_version"] == 1
    assert under_way(cloud) == 1


def test_a_call_repeated_after_the_upload_tells_the_state_without_a_form(cloud: Cloud) -> None:
    body = cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k").body
    cloud.uploads.write(body["upload"]["fields"]["key"], MODEL)
    arrived(cloud, body["upload"]["fields"]["key"])

    again = cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")

    assert (again.status, again.body) == (201, {"model": "m", "version": 1, "status": "ready"})


def test_a_call_repeated_after_the_version_was_deleted_makes_no_other(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")
    cloud.call("DELETE", "/v1/models/m/versions/1")

    again = cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")

    assert (again.status, again.body["code"]) == (409, "conflict")
    assert under_way(cloud) == 0


def test_a_form_lasts_as_long_as_the_version_waits(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + UPLOAD_SECONDS + 1)

    again = cloud.call("POST", "/v1/models/m/versions", ONNX, idempotency_key="k")

    assert again.body == {"model": "m", "version": 1, "status": "awaiting_upload"}


def test_the_quota_of_uploads_holds_until_one_ends(cloud: Cloud) -> None:
    _, first = sent(cloud)
    for model in ("n", "o"):
        asked(cloud, model)
    refused = cloud.call("POST", "/v1/models/p/versions", ONNX)
    arrived(cloud, first)
    accepted = cloud.call("POST", "/v1/models/p/versions", ONNX)

    assert (refused.status, refused.body["code"]) == (429, "quota_exceeded")
    assert "model uploads" in refused.body["detail"]
    assert accepted.status == 201
    assert cloud.call("GET", "/v1/usage").body["quotas"]["model_uploads"] == {"used": 3, "limit": 3}
    assert cloud.call("GET", "/v1/usage").body["quotas"]["model_bytes"] == {"limit": 1_000_000}
    assert [each["model"] for each in cloud.call("GET", "/v1/models").body["models"]] == ["p", "o", "n", "m"]


@pytest.mark.parametrize("form", ["keras", ".h5", "pkl", "joblib", "savedmodel", "ONNX", ""])
def test_other_formats_are_refused_with_what_is_accepted(cloud: Cloud, form: str) -> None:
    answer = cloud.call("POST", "/v1/models/m/versions", {"format": form})

    assert (answer.status, answer.body["code"]) == (422, "unsupported_format")
    assert "'onnx'" in answer.body["detail"]
    assert answer.body["errors"][0]["field"] == "format"
    assert cloud.call("GET", "/v1/models/m").status == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"labels": ["a"]}, "labels"),
        ({"labels": ["a", "b", "a"]}, "labels"),
        ({"labels": ["a", 1]}, "labels.1"),
        ({"labels": ["a", ""]}, "labels.1"),
        ({"labels": [str(number) for number in range(10_001)]}, "labels"),
        ({"labels": [f"{number:0400}" for number in range(1_000)]}, "labels"),
        ({"labels": ["a", "\ud800"]}, "labels.1"),
        ({"promote": "yes"}, "promote"),
        ({"url": "https://example.com/model.onnx"}, "url"),
    ],
)
def test_a_wrong_field_is_named(cloud: Cloud, change: dict[str, Any], field: str) -> None:
    answer = cloud.call("POST", "/v1/models/m/versions", ONNX | change)

    assert answer.status == 422, answer.body
    assert field in [error["field"] for error in answer.body["errors"]]
    assert under_way(cloud) == 0


def test_ten_thousand_labels_go_all_the_way(cloud: Cloud) -> None:
    labels = [f"class-{number:05}-é" for number in range(10_000)]

    number = ready(cloud, labels=labels)

    assert version(cloud, number)["labels"] == labels


def test_a_bad_name_is_refused(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/models/Bad_Name/versions", ONNX)

    assert (answer.status, answer.body["code"]) == (422, "invalid_name")


def test_uploading_takes_the_scope_to_train(cloud: Cloud) -> None:
    keys = {scope: create_key(cloud.keys, TENANT, scope, (scope,))[1] for scope in ("read", "predict", "train")}

    answers = {scope: cloud.call("POST", "/v1/models/m/versions", ONNX, key=key).status for scope, key in keys.items()}

    assert answers == {"read": 403, "predict": 403, "train": 201}


def test_another_tenants_version_looks_like_an_unknown_one(cloud: Cloud) -> None:
    asked(cloud)
    _, stranger = create_key(cloud.keys, "stranger", "s", ("admin",))

    theirs = cloud.call("GET", "/v1/models/m/versions/1", key=stranger)
    nobodys = cloud.call("GET", "/v1/models/x/versions/1", key=stranger)
    deleted = cloud.call("DELETE", "/v1/models/m/versions/1", key=stranger)
    own = cloud.call("POST", "/v1/models/m/versions", ONNX, key=stranger)

    assert (theirs.status, theirs.body["code"]) == (nobodys.status, nobodys.body["code"]) == (404, "not_found")
    assert deleted.status == 404
    assert (own.body["version"], own.body["upload"]["fields"]["key"]) == (1, "models/stranger/m/1")
    assert version(cloud, 1)["status"] == "awaiting_upload"


def test_a_version_that_is_not_ready_has_no_files_and_cannot_be_promoted(cloud: Cloud) -> None:
    asked(cloud)

    assert cloud.call("GET", "/v1/models/m/versions/1/files/manifest.json").status == 404
    assert "has no report" in cloud.call("GET", "/v1/models/m/versions/1/report").body["detail"]
    assert cloud.call("PUT", "/v1/models/m/aliases/live", {"version": 1, "reason": "x"}).status == 409


def test_deleting_a_version_that_waits_cancels_its_upload(cloud: Cloud) -> None:
    number, key = asked(cloud)

    deleted = cloud.call("DELETE", f"/v1/models/m/versions/{number}")
    count = under_way(cloud)
    cloud.uploads.write(key, MODEL)
    arrived(cloud, key)

    assert (deleted.status, count, under_way(cloud)) == (204, 0, 0)
    assert cloud.call("GET", f"/v1/models/m/versions/{number}").status == 404
    assert cloud.uploads.size(key) is None
    assert list(cloud.store.objects("")) == []
    assert asked(cloud)[0] == 2


def begun(cloud: Cloud, number: int) -> ModelVersion:
    """A version that is being validated."""
    import time

    version = cloud.model_uploads.begin_validation(TENANT, "m", number, time.time())
    assert version
    return version


@pytest.mark.parametrize("path", ["/v1/models/m", "/v1/models/m/versions/2"])
def test_what_is_being_validated_cannot_be_deleted_until_that_ends(cloud: Cloud, path: str) -> None:
    ready(cloud)
    number, _ = sent(cloud)
    validating = begun(cloud, number)

    refused = cloud.call("DELETE", path)
    untouched = (live(cloud), version(cloud, number)["status"])
    cloud.model_uploads.reject(validating, {"code": "c", "message": "m"}, 0)

    assert (refused.status, refused.body["code"]) == (409, "conflict")
    assert "being validated" in refused.body["detail"]
    assert untouched == (1, "validating")
    assert cloud.call("DELETE", path).status == 204
    assert under_way(cloud) == 0


def test_deleting_a_model_cancels_its_uploads_for_good(cloud: Cloud) -> None:
    ready(cloud)
    _, key = sent(cloud)

    deleted = cloud.call("DELETE", "/v1/models/m")
    arrived(cloud, key)

    assert (deleted.status, under_way(cloud)) == (204, 0)
    assert cloud.call("GET", "/v1/models/m").status == 404
    assert list(cloud.store.objects("")) == []
    assert list(cloud.uploads.objects("")) == []


def test_a_deletion_that_broke_off_lets_nothing_in_and_can_be_finished(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(cloud)
    _, key = sent(cloud)
    with monkeypatch.context() as crash:
        crash.setattr(cloud.table, "all", lambda *_: (_ for _ in ()).throw(SystemExit()))
        with pytest.raises(SystemExit):
            cloud.registry.delete_model(TENANT, "m")

    arrived(cloud, key)
    refused = cloud.call("POST", "/v1/models/m/versions", ONNX)

    assert version(cloud, 2)["status"] == "expired"
    assert (under_way(cloud), cloud.uploads.size(key)) == (0, None)
    assert refused.status == 409
    assert cloud.call("DELETE", "/v1/models/m").status == 204
    assert cloud.call("POST", "/v1/models/m/versions", ONNX).body["version"] == 3


def test_a_deleted_model_can_be_brought_again_under_new_numbers(cloud: Cloud) -> None:
    ready(cloud)
    cloud.call("DELETE", "/v1/models/m")

    number = ready(cloud)

    assert (number, live(cloud)) == (2, 2)
    assert [each["version"] for each in cloud.call("GET", "/v1/models/m/versions").body["versions"]] == [2]
