"""The life of a base model over HTTP, on moto: created, uploaded, checked, listed, deleted, never another tenant's."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelmill.base_models.arrival import validate_base_model
from modelmill.base_models.records import BaseModel
from modelmill.datasets.schema import Column, Schema, TopValue
from modelmill.jobs.dispatch import dispatch, training_job_name
from modelmill.tenancy.keys import create_key
from tests.base_models import WORDS, write_folder, zipped
from tests.cloud import STACK, TENANT, Answer, Cloud


def created(cloud: Cloud, name: str = "tiny") -> tuple[str, str]:
    """A base model that waits for its archive: id and key."""
    answer = cloud.call("POST", "/v1/base-models", {"name": name})
    assert answer.status == 201, answer.body
    return answer.body["base_model_id"], answer.body["upload"]["fields"]["key"]


def arrived(cloud: Cloud, key: str, content: bytes) -> None:
    """The archive is uploaded, and its event handled."""
    cloud.uploads.write(key, content)
    validate_base_model(cloud.base_models, cloud.uploads, cloud.base_model_files, key)


def ready(cloud: Cloud, folder: Path) -> str:
    base_model_id, key = created(cloud)
    arrived(cloud, key, zipped(write_folder(folder)))
    return base_model_id


def record(cloud: Cloud, base_model_id: str) -> BaseModel:
    found = cloud.base_models.get(TENANT, base_model_id)
    assert found
    return found


def used(cloud: Cloud) -> int:
    count: int = cloud.call("GET", "/v1/usage").body["quotas"]["base_models"]["used"]
    return count


def test_a_base_model_is_created_with_a_form_for_exactly_one_key(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/base-models", {"name": "tiny"})

    assert (answer.status, answer.body["status"]) == (201, "awaiting_upload")
    assert answer.body["upload"]["fields"]["key"] == f"base-models/{TENANT}/{answer.body['base_model_id']}"


def test_what_is_accepted_is_pinned_by_its_hash_and_described(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id = ready(cloud, tmp_path)

    answer = cloud.call("GET", f"/v1/base-models/{base_model_id}").body

    assert answer["status"] == "ready"
    assert answer["architecture"]["model_type"] == "bert"
    assert answer["architecture"]["vocabulary"] == len(WORDS)
    prefix = f"base-models/{TENANT}/{base_model_id}/{answer['sha256']}/"
    assert dict(cloud.store.objects("")) == {prefix + name: size for name, size in answer["files"].items()}
    assert cloud.store.read(prefix + "config.json") == (tmp_path / "config.json").read_bytes()
    assert list(cloud.uploads.objects("")) == []


def test_a_rejected_archive_says_why_and_leaves_nothing(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id, key = created(cloud)

    arrived(cloud, key, zipped(write_folder(tmp_path), **{"pytorch_model.bin": b"x"}))

    answer = cloud.call("GET", f"/v1/base-models/{base_model_id}").body
    assert (answer["status"], answer["problems"][0]["code"]) == ("rejected", "forbidden_file")
    assert "pytorch_model.bin" in answer["problems"][0]["message"]
    assert list(cloud.store.objects("")) == list(cloud.uploads.objects("")) == []
    assert used(cloud) == 0


def test_an_event_that_comes_three_times_changes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id, key = created(cloud)
    content = zipped(write_folder(tmp_path))

    for _ in range(3):
        arrived(cloud, key, content)

    assert record(cloud, base_model_id).status == "ready"
    assert record(cloud, base_model_id).attempts == 1


def test_objects_of_other_kinds_are_none_of_its_business(cloud: Cloud) -> None:
    arrived(cloud, f"datasets/{TENANT}/bm-1", b"x")
    arrived(cloud, f"base-models/{TENANT}/bm-unknown", b"x")

    assert cloud.call("GET", "/v1/base-models").body == {"base_models": [], "next_cursor": None}


def test_the_sweep_sends_a_lost_event_again_and_expires_what_never_came(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded, key = created(cloud, "uploaded")
    never, _ = created(cloud, "never")
    cloud.uploads.write(key, b"x")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)

    cloud.sweep_all()

    (message,) = cloud.messages("ingest")
    assert key in message
    assert (record(cloud, uploaded).status, record(cloud, never).status) == ("awaiting_upload", "expired")
    assert used(cloud) == 1


def test_an_archive_that_disappears_while_it_is_checked_is_told(cloud: Cloud) -> None:
    base_model_id, _ = created(cloud)
    assert cloud.base_models.begin_validation(TENANT, base_model_id, time.time())

    cloud.sweep_all()

    assert record(cloud, base_model_id).problems[0]["code"] == "upload_lost"


def test_a_repeated_call_with_the_same_idempotency_key_makes_one(cloud: Cloud) -> None:
    first = cloud.call("POST", "/v1/base-models", {"name": "tiny"}, idempotency_key="k")
    second = cloud.call("POST", "/v1/base-models", {"name": "tiny"}, idempotency_key="k")
    other = cloud.call("POST", "/v1/base-models", {"name": "other"}, idempotency_key="k")

    assert first.body["base_model_id"] == second.body["base_model_id"]
    assert (other.status, other.body["code"]) == (422, "idempotency_mismatch")


def test_lists_are_paged_newest_first_and_the_quota_holds(cloud: Cloud) -> None:
    made = [created(cloud, f"m{place}")[0] for place in range(3)]
    refused = cloud.call("POST", "/v1/base-models", {"name": "one-too-many"})

    first = cloud.call("GET", "/v1/base-models?limit=2").body
    rest = cloud.call("GET", f"/v1/base-models?limit=2&cursor={first['next_cursor']}").body

    assert (refused.status, refused.body["code"]) == (429, "quota_exceeded")
    listed = [each["base_model_id"] for each in first["base_models"] + rest["base_models"]]
    assert sorted(listed) == sorted(made)
    assert len(first["base_models"]) == 2
    assert rest["next_cursor"] is None


def test_deleting_removes_the_bytes_and_gives_the_quota_back(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id = ready(cloud, tmp_path)

    answer = cloud.call("DELETE", f"/v1/base-models/{base_model_id}")

    assert answer.status == 204
    assert list(cloud.store.objects("")) == []
    assert used(cloud) == 0
    assert cloud.call("GET", f"/v1/base-models/{base_model_id}").body["status"] == "deleted"
    assert cloud.call("GET", "/v1/base-models").body["base_models"] == []


def test_another_tenants_base_model_looks_like_none(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id = ready(cloud, tmp_path)
    _, secret = create_key(cloud.keys, "other", "test", ("admin",))

    for method in ("GET", "DELETE"):
        foreign = cloud.call(method, f"/v1/base-models/{base_model_id}", key=secret)
        unknown = cloud.call(method, "/v1/base-models/bm-unknown", key=secret)
        assert (foreign.status, unknown.status) == (404, 404)
        assert foreign.body["detail"].replace(base_model_id, "x") == unknown.body["detail"].replace("bm-unknown", "x")
    assert cloud.call("GET", "/v1/base-models", key=secret).body["base_models"] == []
    assert record(cloud, base_model_id).status == "ready"


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("read", "POST", "/v1/base-models", 403),
        ("read", "DELETE", "/v1/base-models/bm-1", 403),
        ("predict", "GET", "/v1/base-models", 403),
        ("train", "POST", "/v1/base-models", 201),
    ],
)
def test_scopes_hold(cloud: Cloud, scope: str, method: str, path: str, status: int) -> None:
    _, secret = create_key(cloud.keys, TENANT, "test", (scope,))

    assert cloud.call(method, path, {"name": "m"} if method == "POST" else None, key=secret).status == status


def texts() -> Schema:
    moods = [TopValue("good", 50), TopValue("bad", 50)]
    columns = [Column("review", "text", 0, 100), Column("mood", "category", 0, 2, top=moods)]
    return Schema("text", 100, 0, columns)


def asked(cloud: Cloud, **fields: object) -> Answer:
    """A training job on texts is asked for; `fields` may name other data."""
    body = {"dataset_id": None, "model": "m", "target": "mood", **fields}
    return cloud.call(
        "POST", "/v1/training-jobs", body | {"dataset_id": body["dataset_id"] or cloud.ready_dataset(texts())}
    )


def test_a_job_reads_its_base_model_from_a_channel_of_its_own(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id = ready(cloud, tmp_path)
    cloud.publish_training_code()

    answer = asked(cloud, algorithm="bert", base_model=base_model_id)

    assert answer.status == 202, answer.body
    assert answer.body["base_model"] == base_model_id
    job = cloud.job(answer.body["job_id"])
    dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)
    channels = cloud.sagemaker.jobs[training_job_name(STACK, job)]["request"]["InputDataConfig"]
    uris = {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in channels}
    sha256 = record(cloud, base_model_id).sha256
    assert uris["base_model"] == f"s3://store/base-models/{TENANT}/{base_model_id}/{sha256}/"
    spec = json.loads(cloud.store.read(f"jobs/{TENANT}/{job.job_id}/spec/spec.json"))
    assert (spec["base_model"], spec["base_model_sha256"]) == (base_model_id, sha256)


def test_a_job_keeps_its_base_model_from_being_deleted_until_it_ends(cloud: Cloud, tmp_path: Path) -> None:
    base_model_id = ready(cloud, tmp_path)
    job_id = asked(cloud, algorithm="bert", base_model=base_model_id).body["job_id"]

    refused = cloud.call("DELETE", f"/v1/base-models/{base_model_id}")
    cloud.call("POST", f"/v1/training-jobs/{job_id}/stop")
    accepted = cloud.call("DELETE", f"/v1/base-models/{base_model_id}")

    assert (refused.status, accepted.status) == (409, 204)


def test_a_job_that_cannot_have_its_base_model_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    mine, (waiting, _) = ready(cloud, tmp_path), created(cloud, "waiting")
    elsewhere = created(cloud, "gone")[0]
    cloud.call("DELETE", f"/v1/base-models/{elsewhere}")
    foreign = replace(record(cloud, mine), tenant="other", base_model_id="bm-foreign")
    cloud.base_models.create(foreign, 9, None, time.time())

    data = cloud.ready_dataset(texts())
    refusals: dict[str, dict[str, Any]] = {
        "needs the id": {"algorithm": "bert"},
        "no base model 'bm-unknown'": {"algorithm": "bert", "base_model": "bm-unknown"},
        "no base model 'bm-foreign'": {"algorithm": "bert", "base_model": "bm-foreign"},
        "is awaiting_upload": {"algorithm": "bert", "base_model": waiting},
        "is deleted": {"algorithm": "bert", "base_model": elsewhere},
        "text_linear starts from no": {"algorithm": "text_linear", "base_model": mine},
        "auto starts from no": {"dataset_id": cloud.ready_dataset(), "target": "y", "base_model": mine},
    }

    for words, fields in refusals.items():
        answer = asked(cloud, **{"dataset_id": data, **fields})
        assert (answer.status, [each["field"] for each in answer.body["errors"]]) == (422, ["base_model"])
        assert words in answer.body["detail"]


def test_the_catalogue_says_what_takes_a_base_model(cloud: Cloud) -> None:
    listed = cloud.call("GET", "/v1/algorithms").body["algorithms"]

    takes = {each["name"]: each["base_model"] for each in listed if "text" in each["kinds"]}
    assert (takes["bert"], takes["auto"], takes["lstm"]) == ("required", "optional", "none")


@pytest.mark.parametrize("body", [{"name": "Tiny"}, {"name": "a", "format": "zip"}, {}, {"name": 5}])
def test_a_request_that_breaks_the_rules_is_refused(cloud: Cloud, body: dict[str, object]) -> None:
    assert cloud.call("POST", "/v1/base-models", body).status == 422
