"""Lost, repeated and late events, and crashes in between: everything still reaches its end, exactly once."""

from pathlib import Path
from typing import Any

import pytest

from modelmill.datasets.arrival import validate_upload
from modelmill.datasets.records import Dataset
from modelmill.datasets.schema import Problem, Rejected, Schema
from modelmill.jobs.dispatch import dispatch, training_job_name
from modelmill.jobs.records import Job
from modelmill.jobs.register import register
from modelmill.jobs.track import training_job_changed
from modelmill.models.admission import AdmittedBundle, admit_bundle
from tests.bundles import write_bundle
from tests.cloud import STACK, TENANT, Cloud, aws_error, small_schema


def bundle(folder: Path) -> Path:
    """A folder with what a finished job leaves."""
    write_bundle(folder)
    return folder


def changed(cloud: Cloud, job: Job) -> None:
    """SageMaker's event arrives."""
    training_job_changed(cloud.tracker, STACK, training_job_name(STACK, job))


def tell(cloud: Cloud, job: Job, *state: str) -> None:
    """SageMaker's job changes and no event arrives."""
    cloud.sagemaker.tell(training_job_name(STACK, job), *state)


def jobs_in_use(cloud: Cloud) -> int:
    """The count against the quota."""
    used: int = cloud.call("GET", "/v1/usage").body["quotas"]["concurrent_jobs"]["used"]
    return used


def uploaded(cloud: Cloud) -> tuple[str, str]:
    """A dataset whose file has arrived: id and key."""
    created = cloud.call("POST", "/v1/datasets", {"name": "d", "format": "csv"}).body
    key = created["upload"]["fields"]["key"]
    cloud.uploads.write(key, b"x,y\n1,a\n")
    return created["dataset_id"], key


class Reader:
    """Stands for the parser, whose own tests are elsewhere."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.calls = 0
        self.fault = fault

    def __call__(self, source: Path, dataset: Dataset, parquet: Path) -> Schema:
        self.calls += 1
        if self.fault:
            raise self.fault
        parquet.write_bytes(b"parquet")
        return small_schema()


def test_an_upload_event_that_arrives_three_times_is_validated_once(cloud: Cloud) -> None:
    dataset_id, key = uploaded(cloud)
    reader = Reader()

    for _ in range(3):
        validate_upload(cloud.datasets, cloud.uploads, cloud.dataset_files, reader, key)

    assert cloud.dataset(dataset_id).status == "ready"
    assert reader.calls == 1
    assert cloud.uploads.size(key) is None


def test_a_rejected_file_leaves_nothing_behind_but_its_problems(cloud: Cloud) -> None:
    dataset_id, key = uploaded(cloud)
    fault = Rejected((Problem("ragged_row", "row has 3 cells, expected 2", line=7),))

    validate_upload(cloud.datasets, cloud.uploads, cloud.dataset_files, Reader(fault), key)

    answer = cloud.call("GET", f"/v1/datasets/{dataset_id}").body
    assert (answer["status"], answer["problems"][0]["code"], answer["problems"][0]["line"]) == (
        "rejected",
        "ragged_row",
        7,
    )
    assert list(cloud.store.objects("")) == []
    assert cloud.call("GET", "/v1/usage").body["quotas"]["datasets"]["used"] == 0


def test_a_crash_while_validating_is_taken_up_again_after_the_lease(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id, key = uploaded(cloud)
    with pytest.raises(SystemExit):
        validate_upload(cloud.datasets, cloud.uploads, cloud.dataset_files, Reader(SystemExit()), key)
    validate_upload(cloud.datasets, cloud.uploads, cloud.dataset_files, Reader(), key)
    while_leased = cloud.dataset(dataset_id).status

    later(monkeypatch, 3600)
    validate_upload(cloud.datasets, cloud.uploads, cloud.dataset_files, Reader(), key)

    assert while_leased == "validating"
    assert cloud.dataset(dataset_id).status == "ready"


def test_a_file_that_kills_every_validation_is_rejected_in_the_end(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id, key = uploaded(cloud)
    for hour in range(7):
        later(monkeypatch, hour * 3600)
        try:
            validate_upload(cloud.datasets, cloud.uploads, cloud.dataset_files, Reader(SystemExit()), key)
        except SystemExit:
            continue

    assert cloud.dataset(dataset_id).status == "rejected"
    assert cloud.dataset(dataset_id).problems[0]["code"] == "validation_failed"


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let time have passed."""
    import time

    real = time.time_ns()
    monkeypatch.setattr(time, "time", lambda: real / 1e9 + seconds)


def test_when_the_upload_event_is_lost_the_sweep_sends_it_again(cloud: Cloud) -> None:
    _, key = uploaded(cloud)

    cloud.sweep_all()

    (message,) = cloud.messages("ingest")
    assert key in message


def test_an_upload_that_never_comes_expires(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    created = cloud.call("POST", "/v1/datasets", {"name": "d", "format": "csv"}).body
    later(monkeypatch, 3600)

    cloud.sweep_all()

    assert cloud.dataset(created["dataset_id"]).status == "expired"
    assert cloud.call("GET", "/v1/usage").body["quotas"]["datasets"]["used"] == 0


def test_with_every_event_lost_a_job_reaches_its_end(cloud: Cloud, tmp_path: Path) -> None:
    cloud.publish_training_code()
    job = cloud.queued_job()
    cloud.messages("dispatch")

    cloud.sweep_all()
    assert cloud.job(job.job_id).status == "starting"
    tell(cloud, job, "InProgress", "Training")
    cloud.sweep_all()
    assert cloud.job(job.job_id).status == "training"
    cloud.finish(job, bundle(tmp_path / "bundle"))
    cloud.sweep_all()
    assert cloud.job(job.job_id).status == "registering"
    cloud.messages("admit")
    cloud.sweep_all()
    assert len(cloud.messages("admit")) == 1
    register(cloud.registrar(admit_bundle), TENANT, job.job_id)

    assert cloud.job(job.job_id).status == "completed"
    assert cloud.call("GET", "/v1/models/m").body["aliases"]["live"]["version"] == 1
    assert jobs_in_use(cloud) == 0


def test_late_and_repeated_events_change_nothing(cloud: Cloud, tmp_path: Path) -> None:
    job = cloud.started_job()
    cloud.finish(job, bundle(tmp_path / "bundle"))
    for _ in range(2):
        changed(cloud, job)
        register(cloud.registrar(admit_bundle), TENANT, job.job_id)
    tell(cloud, job, "InProgress", "Training")
    changed(cloud, job)
    dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)

    assert cloud.job(job.job_id).status == "completed"
    assert len(cloud.call("GET", "/v1/models/m/versions").body["versions"]) == 1
    assert jobs_in_use(cloud) == 0


def test_a_crash_between_the_call_to_sagemaker_and_the_write_starts_one_job(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.publish_training_code()
    job = cloud.queued_job()
    with monkeypatch.context() as crash:
        crash.setattr(cloud.jobs, "advance", lambda *_, **__: (_ for _ in ()).throw(SystemExit()))
        with pytest.raises(SystemExit):
            dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)

    later(monkeypatch, 600)
    dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)

    assert list(cloud.sagemaker.jobs) == [training_job_name(STACK, job)]
    assert cloud.job(job.job_id).status == "starting"


@pytest.mark.parametrize("code", ["ResourceLimitExceeded", "ThrottlingException", "CapacityError"])
def test_without_capacity_a_job_waits_visibly_and_then_runs(cloud: Cloud, code: str) -> None:
    cloud.publish_training_code()
    job = cloud.queued_job()
    cloud.sagemaker.errors = [aws_error(code), aws_error(code)]

    dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)
    waiting = cloud.call("GET", f"/v1/training-jobs/{job.job_id}").body
    cloud.sweep_all()
    cloud.sweep_all()

    assert waiting["status"] == "queued"
    assert waiting["reason"].startswith("waiting_for_")
    assert cloud.job(job.job_id).status == "starting"


def test_a_job_that_never_finds_capacity_fails_and_frees_its_quota(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.publish_training_code()
    job = cloud.queued_job()
    later(monkeypatch, 7 * 3600)

    dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)

    assert cloud.job(job.job_id).failure == {"code": "capacity", "message": _any_text(cloud.job(job.job_id))}
    assert jobs_in_use(cloud) == 0


def _any_text(job: Job) -> str:
    return (job.failure or {}).get("message", "")


def test_without_published_code_a_job_says_so(cloud: Cloud) -> None:
    job = cloud.queued_job()

    dispatch(cloud.jobs, cloud.trainer, TENANT, job.job_id)

    assert (cloud.job(job.job_id).failure or {})["code"] == "training_code_missing"
    assert cloud.sagemaker.jobs == {}


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (("Failed", "Failed", "AlgorithmError: untrainable: too few rows, exit code: 1"), "failed", "untrainable"),
        (("Failed", "Failed", "AlgorithmError: , exit code: 137"), "failed", "killed"),
        (
            ("Failed", "Failed", "ClientError: arn:aws:iam::1:role/x may not read s3://b"),
            "failed",
            "training_data_unavailable",
        ),
        (("Stopped", "MaxRuntimeExceeded"), "failed", "max_runtime_exceeded"),
        (("Stopped", "MaxWaitTimeExceeded"), "failed", "max_wait_exceeded"),
        (("Stopped", "Stopped"), "stopped", None),
    ],
)
def test_every_end_of_a_training_job_has_its_state(
    cloud: Cloud, state: tuple[str, ...], status: str, code: str | None
) -> None:
    job = cloud.started_job()
    tell(cloud, job, *state)

    changed(cloud, job)

    after = cloud.job(job.job_id)
    assert (after.status, (after.failure or {}).get("code")) == (status, code)
    assert "arn:" not in str(after.failure)
    assert jobs_in_use(cloud) == 0


def test_a_spot_job_tells_that_its_machine_was_taken_away_until_it_goes_on(cloud: Cloud) -> None:
    # given a spot job that trains
    job = cloud.started_job(compute={"spot": True})
    told = []

    # when its machine is taken away, another one is made ready, and it goes on
    for secondary in ("Training", "Interrupted", "Starting", "Training"):
        tell(cloud, job, "InProgress", secondary)
        changed(cloud, job)
        found = cloud.call("GET", f"/v1/training-jobs/{job.job_id}").body
        told.append((found["status"], found.get("reason")))

    # then it stays in training, in the same attempt, and says what it waits for
    assert told == [("training", None), ("training", "interrupted"), ("training", "interrupted"), ("training", None)]
    assert cloud.job(job.job_id).attempt == 1


def test_a_fault_of_the_platform_is_tried_again_and_given_up_after_three(cloud: Cloud) -> None:
    job = cloud.started_job()
    for attempt in (1, 2, 3):
        assert cloud.job(job.job_id).attempt == attempt
        tell(cloud, cloud.job(job.job_id), "Failed", "Failed", "InternalServerError: We encountered an internal error")
        changed(cloud, cloud.job(job.job_id))
        cloud.sweep_all()

    assert len(cloud.sagemaker.jobs) == 3
    assert (cloud.job(job.job_id).failure or {})["code"] == "platform_fault"


def test_an_event_of_a_past_attempt_does_not_end_the_present_one(cloud: Cloud) -> None:
    job = cloud.started_job()
    tell(cloud, job, "Failed", "Failed", "InternalServerError")
    changed(cloud, job)
    cloud.sweep_all()

    changed(cloud, job)

    assert (cloud.job(job.job_id).status, cloud.job(job.job_id).attempt) == ("starting", 2)


def test_stopping_a_running_job(cloud: Cloud) -> None:
    job = cloud.started_job()

    answer = cloud.call("POST", f"/v1/training-jobs/{job.job_id}/stop")
    tell(cloud, job, "Stopped", "Stopped")
    changed(cloud, job)

    assert answer.status == 202
    assert cloud.job(job.job_id).status == "stopped"


def _remove_model(folder: Path) -> None:
    (folder / "model.onnx").unlink()


def _flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)


def _remove_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize("damage", [_remove_model, _flip_a_byte, _remove_all])
def test_a_damaged_bundle_is_rejected_and_the_alias_stays(cloud: Cloud, tmp_path: Path, damage: Any) -> None:
    first = cloud.started_job()
    cloud.finish(first, bundle(tmp_path / "good"))
    changed(cloud, first)
    register(cloud.registrar(admit_bundle), TENANT, first.job_id)
    second = cloud.started_job(promote=True)
    broken = bundle(tmp_path / "broken")
    damage(broken)
    cloud.finish(second, broken)
    changed(cloud, second)

    register(cloud.registrar(admit_bundle), TENANT, second.job_id)

    assert cloud.job(second.job_id).status == "failed"
    assert cloud.call("GET", "/v1/models/m/versions/2").body["status"] == "rejected"
    assert cloud.call("GET", "/v1/models/m").body["aliases"]["live"]["version"] == 1
    assert cloud.call("PUT", "/v1/models/m/aliases/live", {"version": 2, "reason": "x"}).status == 409
    assert jobs_in_use(cloud) == 0


def test_a_crash_while_registering_gives_one_version(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = cloud.started_job()
    cloud.finish(job, bundle(tmp_path / "bundle"))
    changed(cloud, job)

    def crash(folder: Path) -> AdmittedBundle:
        raise SystemExit

    with pytest.raises(SystemExit):
        register(cloud.registrar(crash), TENANT, job.job_id)
    later(monkeypatch, 600)
    register(cloud.registrar(admit_bundle), TENANT, job.job_id)

    assert cloud.job(job.job_id).model_version == 1
    assert cloud.call("GET", "/v1/models/m").body["latest_version"] == 1
