"""The control plane over HTTP events, on moto."""

import json
import time
from typing import Any

import boto3
import pytest

from modelmill.aws.training import LOG_GROUP
from modelmill.datasets.schema import Column, Schema, TopValue
from modelmill.errors import Conflict
from modelmill.jobs.dispatch import training_job_name
from modelmill.tenancy.keys import create_key, ensure_key
from tests.cloud import OFFER, STACK, TENANT, Cloud, small_schema

DATASET = {"name": "flowers", "format": "csv", "target": "y"}


def test_a_dataset_is_created_with_a_form_for_exactly_one_key(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/datasets", DATASET)

    assert answer.status == 201
    assert answer.body["status"] == "awaiting_upload"
    assert answer.body["upload"]["fields"]["key"] == f"datasets/{TENANT}/{answer.body['dataset_id']}"
    assert answer.body["upload"]["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"


def test_a_repeated_call_with_the_same_idempotency_key_makes_one_dataset(cloud: Cloud) -> None:
    first = cloud.call("POST", "/v1/datasets", DATASET, idempotency_key="k1")
    second = cloud.call("POST", "/v1/datasets", DATASET, idempotency_key="k1")
    other = cloud.call("POST", "/v1/datasets", DATASET | {"name": "other"}, idempotency_key="k1")

    assert first.body["dataset_id"] == second.body["dataset_id"]
    assert (other.status, other.body["code"]) == (422, "idempotency_mismatch")
    assert cloud.call("GET", "/v1/usage").body["quotas"]["datasets"]["used"] == 1


def test_the_quota_of_datasets_holds_and_deleting_gives_it_back(cloud: Cloud) -> None:
    made = [cloud.call("POST", "/v1/datasets", DATASET).body["dataset_id"] for _ in range(5)]
    refused = cloud.call("POST", "/v1/datasets", DATASET)
    deleted = cloud.call("DELETE", f"/v1/datasets/{made[0]}")
    accepted = cloud.call("POST", "/v1/datasets", DATASET)

    assert (refused.status, refused.body["code"]) == (429, "quota_exceeded")
    assert refused.headers["retry-after"]
    assert (deleted.status, accepted.status) == (204, 201)


def test_lists_are_paged_newest_first(cloud: Cloud) -> None:
    made = [cloud.call("POST", "/v1/datasets", DATASET).body["dataset_id"] for _ in range(3)]

    first = cloud.call("GET", "/v1/datasets?limit=2")
    rest = cloud.call("GET", f"/v1/datasets?limit=2&cursor={first.body['next_cursor']}")

    listed = [each["dataset_id"] for each in first.body["datasets"] + rest.body["datasets"]]
    assert sorted(listed) == sorted(made)
    assert rest.body["next_cursor"] is None


def test_a_ready_dataset_tells_its_schema(cloud: Cloud) -> None:
    answer = cloud.call("GET", f"/v1/datasets/{cloud.ready_dataset()}")

    assert answer.body["status"] == "ready"
    assert [column["name"] for column in answer.body["schema"]["columns"]] == ["x", "y"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "malformed_request"),
        ("not json", 400, "malformed_request"),
        ('{"name": "a", "name": "b", "format": "csv"}', 400, "malformed_request"),
        ('{"name": NaN, "format": "csv"}', 400, "malformed_request"),
        ("[" * 100_000, 400, "malformed_request"),
        (json.dumps(DATASET | {"name": "x" * 2_000_000}), 413, "too_large"),
        (DATASET | {"unknown": 1}, 422, "invalid_request"),
        (DATASET | {"format": "xlsx"}, 422, "invalid_request"),
        (DATASET | {"name": 5}, 422, "invalid_request"),
        (DATASET | {"name": "../etc"}, 422, "invalid_name"),
        (DATASET | {"name": "a\n"}, 422, "invalid_name"),
        ([1], 422, "invalid_request"),
    ],
)
def test_bad_bodies_are_refused_with_a_code(cloud: Cloud, body: Any, status: int, code: str) -> None:
    answer = cloud.call("POST", "/v1/datasets", body)

    assert (answer.status, answer.body["code"]) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["request_id"] == "request-1"


@pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=utf-8"])
def test_a_media_type_may_be_written_in_any_case(cloud: Cloud, kind: str) -> None:
    assert cloud.call("POST", "/v1/datasets", DATASET, content_type=kind).status == 201


def test_a_body_that_is_not_utf8_is_malformed(cloud: Cloud) -> None:
    event = {
        "rawPath": "/v1/datasets",
        "headers": {"x-api-key": cloud.secret},
        "requestContext": {"requestId": "r", "http": {"method": "POST", "path": "/v1/datasets"}},
        "body": "/w==",
        "isBase64Encoded": True,
    }

    result = cloud.application.resolve(event, None)

    assert (result["statusCode"], json.loads(result["body"])["code"]) == (400, "malformed_request")


def test_a_body_of_another_type_is_refused(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/datasets", "<xml/>", content_type="text/xml")

    assert (answer.status, answer.body["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("secret", [None, "mm_wrong", "ключ"])
def test_every_documented_call_needs_a_key(cloud: Cloud, secret: str | None) -> None:
    document = cloud.call("GET", "/openapi.json", key=None).body
    free = {"/health", "/openapi.json"}

    answers = {
        (method, path): cloud.call(method.upper(), path.replace("{", "").replace("}", ""), key=secret).status
        for path, calls in document["paths"].items()
        for method in calls
        if path not in free
    }

    assert len(answers) > 20
    assert set(answers.values()) == {401}


def test_header_names_may_come_in_any_case(cloud: Cloud) -> None:
    answer = cloud.call("POST", "/v1/datasets", DATASET, key=None, X_Api_Key=cloud.secret, Idempotency_Key="k")

    assert answer.status == 201
    assert cloud.call("POST", "/v1/datasets", DATASET | {"name": "b"}, idempotency_key="k").status == 422


def test_scopes_are_demanded(cloud: Cloud) -> None:
    _, reader = create_key(cloud.keys, TENANT, "reader", ("read",))

    assert cloud.call("GET", "/v1/datasets", key=reader).status == 200
    assert cloud.call("POST", "/v1/datasets", DATASET, key=reader).status == 403
    assert cloud.call("GET", "/v1/keys", key=reader).status == 403
    assert cloud.call("PUT", "/v1/models/m/aliases/live", {"version": 1, "reason": "x"}, key=reader).status == 403


def test_another_tenants_things_look_like_unknown_ones(cloud: Cloud) -> None:
    job = cloud.queued_job()
    _, stranger = create_key(cloud.keys, "stranger", "s", ("admin",))
    paths = {
        f"/v1/datasets/{job.dataset_id}": "/v1/datasets/ds-unknown",
        f"/v1/training-jobs/{job.job_id}": "/v1/training-jobs/job-unknown",
        f"/v1/training-jobs/{job.job_id}/logs": "/v1/training-jobs/job-unknown/logs",
    }

    for foreign, unknown in paths.items():
        theirs, nobodys = cloud.call("GET", foreign, key=stranger), cloud.call("GET", unknown, key=stranger)
        assert (theirs.status, theirs.body["code"]) == (nobodys.status, nobodys.body["code"]) == (404, "not_found")
    assert cloud.call("DELETE", f"/v1/datasets/{job.dataset_id}", key=stranger).status == 404
    assert cloud.call("POST", f"/v1/training-jobs/{job.job_id}/stop", key=stranger).status == 404
    body = {"dataset_id": job.dataset_id, "model": "m"}
    assert cloud.call("POST", "/v1/training-jobs", body, key=stranger).status == 404
    assert cloud.call("GET", "/v1/datasets", key=stranger).body["datasets"] == []


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(cloud: Cloud) -> None:
    made = cloud.call("POST", "/v1/keys", {"name": "ci", "scopes": ["predict"]}).body
    listed = cloud.call("GET", "/v1/keys").body["keys"]
    revoked = cloud.call("DELETE", f"/v1/keys/{made['key_id']}")

    assert made["key"].startswith("mm_")
    assert made["key"] not in json.dumps(listed)
    assert revoked.status == 204
    assert cloud.call("GET", "/v1/usage", key=made["key"]).status == 401
    assert cloud.call("DELETE", f"/v1/keys/{made['key_id']}").status == 404


def test_a_revoked_key_cannot_be_brought_back(cloud: Cloud) -> None:
    made = cloud.call("POST", "/v1/keys", {"name": "ci", "scopes": ["admin"]}).body
    cloud.call("DELETE", f"/v1/keys/{made['key_id']}")

    with pytest.raises(Conflict):
        ensure_key(cloud.keys, TENANT, made["key"])

    assert cloud.call("GET", "/v1/usage", key=made["key"]).status == 401


def test_a_job_is_resolved_from_the_profile_and_queued_once(cloud: Cloud) -> None:
    body = {"dataset_id": cloud.ready_dataset(), "model": "m", "algorithm": "linear"}

    first = cloud.call("POST", "/v1/training-jobs", body, idempotency_key="j")
    second = cloud.call("POST", "/v1/training-jobs", body, idempotency_key="j")

    assert first.status == 202
    assert (first.body["task"], first.body["target"], first.body["status"]) == ("binary", "y", "queued")
    assert first.body["job_id"] == second.body["job_id"]
    assert cloud.call("GET", "/v1/usage").body["quotas"]["concurrent_jobs"]["used"] == 1


def test_a_job_runs_on_the_machine_that_was_asked_for(cloud: Cloud) -> None:
    # given a search that the job's time is too short for, unless it is shortened
    asked = {"instance_type": "ml.g4dn.xlarge", "max_runtime_s": 300}

    job = cloud.started_job(algorithm="mlp", tuning={"trials": 5}, compute=asked)

    request = cloud.sagemaker.jobs[training_job_name(STACK, job)]["request"]
    assert request["ResourceConfig"]["InstanceType"] == "ml.g4dn.xlarge"
    assert request["AlgorithmSpecification"]["TrainingImage"] == "gpu-image"
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 300}
    told = cloud.call("GET", f"/v1/training-jobs/{job.job_id}").body
    assert (told["compute"], told["tuning"]["timeout_s"]) == (asked | {"instance_count": 1, "spot": False}, 300)
    assert cloud.job(job.job_id).spec().compute == told["compute"]


def test_a_spot_job_waits_for_capacity_and_keeps_its_state_in_the_store(cloud: Cloud) -> None:
    job = cloud.started_job(algorithm="mlp", compute={"instance_count": 2, "spot": True, "max_runtime_s": 600})
    other = cloud.started_job()

    spot, plain = (cloud.sagemaker.jobs[training_job_name(STACK, each)]["request"] for each in (job, other))

    assert (spot["EnableManagedSpotTraining"], plain["EnableManagedSpotTraining"]) == (True, False)
    assert (spot["ResourceConfig"]["InstanceCount"], plain["ResourceConfig"]["InstanceCount"]) == (2, 1)
    assert spot["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600 + 3600}
    assert spot["CheckpointConfig"] == {
        "S3Uri": f"s3://store/checkpoints/{TENANT}/{job.job_id}/",
        "LocalPath": "/opt/ml/checkpoints",
    }


def test_the_log_of_a_job_that_was_interrupted_goes_on_in_the_next_one(cloud: Cloud) -> None:
    # given what two machines have printed, one after the other, and a second one beside them
    job, logs = cloud.started_job(compute={"spot": True}), boto3.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    for stream, lines in (("algo-1-100", ["a", "b", "c"]), ("algo-1-200", ["d"]), ("algo-2-100", ["x"])):
        where = {"logGroupName": LOG_GROUP, "logStreamName": f"{training_job_name(STACK, job)}/{stream}"}
        logs.create_log_stream(**where)
        now = int(time.time() * 1000)
        logs.put_log_events(**where, logEvents=[{"timestamp": now, "message": line} for line in lines])

    # when it is read page by page
    read, cursor = [], ""
    for _ in range(6):
        page = cloud.call("GET", f"/v1/training-jobs/{job.job_id}/logs?limit=2{cursor}").body
        read += [line["message"] for line in page["lines"]]
        cursor = f"&cursor={page['next_cursor']}"

    # then each line comes once, in order
    assert read == ["a", "b", "c", "d"]


def test_a_job_that_asks_for_no_machine_gets_one_for_its_data(cloud: Cloud) -> None:
    job = cloud.started_job(algorithm="linear")

    request = cloud.sagemaker.jobs[training_job_name(STACK, job)]["request"]
    assert request["ResourceConfig"]["InstanceType"] == "ml.m5.xlarge"
    assert request["AlgorithmSpecification"]["TrainingImage"] == "cpu-image"
    assert cloud.call("GET", "/v1/usage").body["compute"]["instance_types"] == list(OFFER.instance_types)


def test_a_smaller_form_is_asked_for_in_full_and_counts_for_idempotency(cloud: Cloud) -> None:
    body = {"dataset_id": cloud.ready_dataset(), "model": "m", "algorithm": "mlp"}
    asked = {**body, "optimize": {"quantize": "float16"}}

    answer = cloud.call("POST", "/v1/training-jobs", asked, idempotency_key="j")
    again = cloud.call("POST", "/v1/training-jobs", asked, idempotency_key="j")
    other = cloud.call("POST", "/v1/training-jobs", body, idempotency_key="j")

    complete = {"quantize": "float16", "max_metric_loss": 0.01}
    assert (answer.status, answer.body["optimize"]) == (202, complete)
    assert cloud.job(answer.body["job_id"]).spec().optimize == complete
    assert again.body["job_id"] == answer.body["job_id"]
    assert (other.status, other.body["code"]) == (422, "idempotency_mismatch")


def test_a_job_without_a_target_leaves_the_datasets_own_alone(cloud: Cloud) -> None:
    body = {"dataset_id": cloud.ready_dataset(), "model": "m", "task": "clustering"}

    answer = cloud.call("POST", "/v1/training-jobs", body)

    assert answer.status == 202
    assert (answer.body["task"], answer.body["target"], answer.body["ignored_target"]) == ("clustering", None, "y")
    spec = cloud.job(answer.body["job_id"]).spec()
    assert (spec.task, spec.target, spec.ignored_target) == ("clustering", None, "y")


def test_the_quota_of_jobs_holds_and_stopping_gives_it_back(cloud: Cloud) -> None:
    first = cloud.queued_job()
    cloud.queued_job()
    body = {"dataset_id": first.dataset_id, "model": "m"}
    refused = cloud.call("POST", "/v1/training-jobs", body)
    stopped = cloud.call("POST", f"/v1/training-jobs/{first.job_id}/stop")

    assert refused.status == 429
    assert (stopped.status, stopped.body["status"]) == (202, "stopped")
    assert cloud.call("POST", "/v1/training-jobs", body).status == 202
    assert cloud.call("POST", f"/v1/training-jobs/{first.job_id}/stop").status == 409


def test_a_dataset_in_use_cannot_be_deleted(cloud: Cloud) -> None:
    job = cloud.queued_job()
    refused = cloud.call("DELETE", f"/v1/datasets/{job.dataset_id}")
    cloud.call("POST", f"/v1/training-jobs/{job.job_id}/stop")
    deleted = cloud.call("DELETE", f"/v1/datasets/{job.dataset_id}")

    assert (refused.status, deleted.status) == (409, 204)
    assert cloud.call("GET", f"/v1/datasets/{job.dataset_id}").body["status"] == "deleted"
    assert list(cloud.store.objects(f"datasets/{TENANT}/{job.dataset_id}/")) == []


def _with_target(column: Column, rows: int = 100) -> Schema:
    return Schema("tabular", rows, 0, [Column("x", "number", 0, rows), column])


CONSTANT = Column("y", "category", 0, 1, top=[TopValue("a", 100)])
EMPTY = Column("y", "number", 100, 0)
RARE = Column("y", "category", 0, 3, top=[TopValue("a", 60), TopValue("b", 39), TopValue("c", 1)])
MANY = Column("y", "category", 0, 500)
TIME = Column("y", "timestamp", 0, 100)


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        (_with_target(CONSTANT), "same value"),
        (_with_target(EMPTY), "empty"),
        (_with_target(RARE), "'c'"),
        (_with_target(MANY, 10_000), "500"),
        (_with_target(TIME), "timestamp"),
        (small_schema(rows=6), "at least 10"),
        (Schema("tabular", 100, 0, [Column("x", "number", 0, 1), *small_schema().columns[1:]]), "nothing to learn"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_starts(cloud: Cloud, schema: Schema, word: str) -> None:
    body = {"dataset_id": cloud.ready_dataset(schema), "model": "m"}

    answer = cloud.call("POST", "/v1/training-jobs", body)

    assert (answer.status, answer.body["code"]) == (422, "untrainable")
    assert word in answer.body["detail"]
    assert cloud.messages("dispatch") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"target": "z"}, "target"),
        ({"features": ["x", "nope"]}, "features"),
        ({"features": ["y"]}, "features"),
        ({"task": "regression"}, "task"),
        ({"task": "clustering", "target": "y"}, "target"),
        ({"task": "forecasting"}, "task"),
        ({"algorithm": "kmeans", "task": "binary"}, "algorithm"),
        ({"algorithm": "linear", "task": "clustering"}, "algorithm"),
        ({"algorithm": "magic"}, "algorithm"),
        ({"algorithm": "mlp", "hyperparameters": {"epochs": -1}}, "hyperparameters.epochs"),
        ({"compute": {"instance_type": "ml.p5.48xlarge"}}, "compute.instance_type"),
        ({"compute": {"max_runtime_s": 7200}}, "compute.max_runtime_s"),
        ({"compute": {"instance_count": 2}}, "compute.instance_count"),
        ({"compute": {"machines": 2}}, "compute.machines"),
        ({"compute": {"max_runtime_s": 60}, "tuning": {"timeout_s": 61}}, "tuning.timeout_s"),
        ({"compute": {"max_runtime_s": 60}, "hyperparameters": {"time_budget_s": 61}}, "hyperparameters.time_budget_s"),
        ({"algorithm": "mlp", "hyperparameters": {"epoch": 5}}, "hyperparameters.epoch"),
        ({"algorithm": "random_forest", "optimize": {"quantize": "int8"}}, "optimize"),
        ({"algorithm": "mlp", "optimize": {"quantize": "int4"}}, "optimize.quantize"),
        ({"algorithm": "mlp", "optimize": {"quantize": "int8", "max_metric_loss": 2}}, "optimize.max_metric_loss"),
        ({"algorithm": "mlp", "optimize": {"max_metric_loss": 0.1}}, "optimize.quantize"),
        ({"algorithm": "mlp", "optimize": {"quantize": "int8", "per_channel": True}}, "optimize.per_channel"),
    ],
)
def test_a_wrong_job_names_the_field(cloud: Cloud, change: dict[str, Any], field: str) -> None:
    body = {"dataset_id": cloud.ready_dataset(), "model": "m"} | change

    answer = cloud.call("POST", "/v1/training-jobs", body)

    assert answer.status == 422
    assert field in [error["field"] for error in answer.body["errors"]]


# Powertools leaves the files of the page open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_document_covers_both_planes_and_the_docs_page_shows_it(cloud: Cloud) -> None:
    document = cloud.call("GET", "/openapi.json", key=None).body
    page = cloud.call("GET", "/docs", key=None)

    assert "/v1/models/{model}/predict" in document["paths"]
    assert "/v1/training-jobs/{job_id}/stop" in document["paths"]
    assert page.status == 200
    assert "swagger" in page.body


def test_an_unknown_path_and_an_unknown_version_are_problems(cloud: Cloud) -> None:
    assert cloud.call("GET", "/v1/nope").body["code"] == "not_found"
    assert cloud.call("GET", "/v1/models/m/versions/1").status == 404
    assert cloud.call("GET", "/v1/models/m/versions/x").status == 422
