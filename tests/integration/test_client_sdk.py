"""The SDK against a real HTTP server on this machine."""

import hashlib
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelmill_client import (
    Client,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    IntegrityError,
    InvalidInput,
    NotFound,
    NotReady,
    RetryPolicy,
    TooLarge,
    Unavailable,
    UploadFailed,
    WaitTimeout,
)
from tests.integration.client_server import Answer, FakeApi, Seen

DATASET = {"dataset_id": "ds-1", "name": "cells", "status": "ready", "problems": []}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def client(api: FakeApi) -> Iterator[Client]:
    with Client(api.url, "mm_test", retry=RetryPolicy(sleep=lambda _: None)) as client:
        yield client


def upload_form(api: FakeApi) -> dict[str, object]:
    return {**DATASET, "status": "awaiting_upload", "upload": {"url": f"{api.url}/store", "fields": {"key": "k-1"}}}


def test_every_call_carries_the_key(api: FakeApi, client: Client) -> None:
    api.on("GET", "/v1/usage", Answer({"quotas": {}}))

    client.usage()

    assert api.seen[0].headers["x-api-key"] == "mm_test"


def test_lists_follow_the_cursor_and_only_as_far_as_needed(api: FakeApi, client: Client) -> None:
    pages = {
        None: {"jobs": [{"job_id": "1"}, {"job_id": "2"}], "next_cursor": "c/2="},
        "c/2=": {"jobs": [], "next_cursor": "c3"},
        "c3": {"jobs": [{"job_id": "3"}]},
    }
    api.on("GET", "/v1/training-jobs", lambda seen: Answer(pages[seen.query.get("cursor")]))

    first = next(client.training_jobs.list(page_size=2))

    assert first["job_id"] == "1"
    assert [seen.query for seen in api.seen] == [{"limit": "2"}]
    assert [job["job_id"] for job in client.training_jobs.list()] == ["1", "2", "3"]


def test_a_creating_call_is_repeated_under_the_same_idempotency_key(api: FakeApi, client: Client) -> None:
    api.on(
        "POST",
        "/v1/training-jobs",
        Answer(status=0),
        Answer({"detail": "busy", "code": "unavailable"}, 503, {"retry-after": "0"}),
        Answer({"job_id": "job-1", "status": "queued"}, 202),
    )

    job = client.training_jobs.create("ds-1", "cells", "y", algorithm="linear", seed=7, hyperparameters={"alpha": 1})

    assert job["job_id"] == "job-1"
    assert len({seen.headers["idempotency-key"] for seen in api.seen}) == 1
    assert len(api.seen) == 3
    assert api.seen[-1].json == {
        "dataset_id": "ds-1",
        "model": "cells",
        "target": "y",
        "algorithm": "linear",
        "seed": 7,
        "hyperparameters": {"alpha": 1},
    }


def test_a_rollback_is_never_sent_twice_when_it_may_have_worked(api: FakeApi, client: Client) -> None:
    api.on("POST", "/v1/models/m/rollback", Answer(status=0))

    with pytest.raises(ConnectionFailed):
        client.models.rollback("m", "bad numbers")

    assert len(api.seen) == 1


def test_an_error_answer_becomes_its_exception(api: FakeApi, client: Client) -> None:
    problem = {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "the alias has revision 3, expected 2",
        "code": "conflict",
        "request_id": "r-9",
    }
    api.on("PUT", "/v1/models/m/aliases/live", Answer(problem, 409, {"content-type": "application/problem+json"}))

    with pytest.raises(Conflict) as caught:
        client.models.promote("m", 2, "better", expected_revision=2)

    assert (caught.value.code, caught.value.request_id) == ("conflict", "r-9")
    assert api.seen[0].json == {"version": 2, "reason": "better", "expected_revision": 2}


def test_an_overloaded_server_is_reported_after_the_last_try(api: FakeApi, client: Client) -> None:
    api.on("GET", "/v1/usage", Answer({"detail": "down", "code": "unavailable"}, 503))

    with pytest.raises(Unavailable):
        client.usage()

    assert len(api.seen) == 4


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with (
        Client(url, "mm_test", retry=RetryPolicy(sleep=lambda _: None)) as client,
        pytest.raises(ConnectionFailed, match=url),
    ):
        client.usage()


def test_something_that_is_not_modelmill_is_recognised(api: FakeApi, client: Client) -> None:
    api.on("GET", "/health", Answer(b"<html>hello</html>"))

    with pytest.raises(Exception, match="is this a modelmill server"):
        client.health()


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "", "http://", "http://127.0.0.1:99999"])
def test_an_address_without_a_scheme_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Client(url, "mm_test", state=tmp_path)


def test_a_key_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no key has"):
        Client("http://127.0.0.1:9", "mm_ключ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_value_that_is_not_json_is_refused_before_it_is_sent(api: FakeApi, client: Client, value: object) -> None:
    with pytest.raises(InvalidInput, match="None for missing"):
        client.predict("m", [{"x": value}])

    assert api.seen == []


def test_an_upload_sends_the_form_first_and_the_file_last(api: FakeApi, client: Client, tmp_path: Path) -> None:
    api.on("POST", "/v1/datasets", lambda _: Answer(upload_form(api), 201))
    api.on("POST", "/store", Answer(status=204))
    api.on("GET", "/v1/datasets/ds-1", Answer({**DATASET, "status": "validating"}), Answer(DATASET))
    file = tmp_path / "My Cells (2).csv"
    file.write_bytes(b"a,y\n1,2\n")
    seen_progress: list[tuple[int, int]] = []

    dataset = client.datasets.upload(
        file, target="y", wait=True, progress=lambda sent, size: seen_progress.append((sent, size))
    )

    assert dataset["status"] == "ready"
    [created] = api.requests("POST", "/v1/datasets")
    assert created.json == {"name": "my-cells-2", "kind": "tabular", "format": "csv", "target": "y"}
    [stored] = api.requests("POST", "/store")
    assert "x-api-key" not in stored.headers
    assert stored.headers["content-length"] == str(len(stored.body))
    assert stored.body.index(b'name="key"') < stored.body.index(b'name="file"')
    assert b"a,y\n1,2\n" in stored.body
    assert seen_progress[-1] == (8, 8)


def test_an_upload_is_sent_again_from_the_start(api: FakeApi, client: Client, tmp_path: Path) -> None:
    api.on("POST", "/v1/datasets", lambda _: Answer(upload_form(api), 201))
    api.on("POST", "/store", Answer(b"<Error><Code>SlowDown</Code></Error>", 503), Answer(status=204))
    file = tmp_path / "cells.csv"
    file.write_bytes(b"a,y\n1,2\n")

    client.datasets.upload(file)

    assert all(b"a,y\n1,2\n" in stored.body for stored in api.requests("POST", "/store"))


@pytest.mark.parametrize("deleted", [204, 500])
def test_a_refused_upload_tells_the_reason_of_the_storage_and_leaves_no_dataset(
    api: FakeApi, client: Client, tmp_path: Path, deleted: int
) -> None:
    api.on("POST", "/v1/datasets", lambda _: Answer(upload_form(api), 201))
    xml = b"<Error><Code>EntityTooLarge</Code><Message>Your proposed upload exceeds the maximum</Message></Error>"
    api.on("POST", "/store", Answer(xml, 400))
    api.on("DELETE", "/v1/datasets/ds-1", Answer(status=deleted))
    file = tmp_path / "cells.csv"
    file.write_bytes(b"a\n")

    with pytest.raises(UploadFailed, match="exceeds the maximum") as caught:
        client.datasets.upload(file)

    assert caught.value.code == "EntityTooLarge"
    assert api.requests("DELETE", "/v1/datasets/ds-1")


def test_an_empty_file_is_refused_before_anything_is_sent(api: FakeApi, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "cells.csv"
    file.touch()

    with pytest.raises(InvalidInput, match=r"cells\.csv is empty"):
        client.datasets.upload(file)

    assert api.seen == []


def test_a_large_file_is_never_in_memory(api: FakeApi, client: Client, tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    api.on("POST", "/v1/datasets", lambda _: Answer(upload_form(api), 201))
    api.on("POST", "/store", Answer(status=204))
    file = tmp_path / "large.csv"
    with file.open("wb") as sparse:
        sparse.truncate(size)

    tracemalloc.start()
    try:
        client.datasets.upload(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    [stored] = api.requests("POST", "/store")
    assert stored.length > size
    assert peak < size / 8


def test_an_unknown_suffix_is_refused_before_anything_is_sent(api: FakeApi, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "cells.xlsx"
    file.write_bytes(b"x")

    with pytest.raises(InvalidInput, match=r"\.csv"):
        client.datasets.upload(file)

    assert api.seen == []


def test_a_rejected_dataset_is_an_exception_with_its_problems(api: FakeApi, client: Client) -> None:
    problems = [{"code": "ragged_row", "message": "line 3 has 2 cells, expected 4", "line": 3}]
    api.on("GET", "/v1/datasets/ds-1", Answer({**DATASET, "status": "rejected", "problems": problems}))

    with pytest.raises(NotReady, match="line 3 has 2 cells") as caught:
        client.datasets.wait("ds-1")

    assert caught.value.resource["problems"] == problems


def test_waiting_has_an_end(api: FakeApi, client: Client) -> None:
    api.on("GET", "/v1/datasets/ds-1", Answer({**DATASET, "status": "validating"}))

    with pytest.raises(WaitTimeout, match="still validating"):
        client.datasets.wait("ds-1", timeout=0.05)


def test_a_dataset_is_found_by_id_or_by_name(api: FakeApi, client: Client) -> None:
    ulid = "ds-01jd0000000000000000000000"
    api.on("GET", "/v1/datasets", Answer({"datasets": [DATASET, {**DATASET, "dataset_id": "ds-0"}]}))
    api.on("GET", "/v1/datasets/ds-1", Answer(DATASET))
    api.on("GET", f"/v1/datasets/{ulid}", Answer({**DATASET, "dataset_id": ulid}))

    assert client.datasets.find("cells")["dataset_id"] == "ds-1"
    assert client.datasets.find(ulid)["dataset_id"] == ulid
    with pytest.raises(NotFound, match="nothing"):
        client.datasets.find("nothing")


def test_watching_a_job_shows_each_change_once(api: FakeApi, client: Client) -> None:
    def job(status: str, step: int) -> Answer:
        return Answer({"job_id": "job-1", "status": status, "progress": {"step": step}})

    api.on(
        "GET", "/v1/training-jobs/job-1", job("queued", 0), job("queued", 0), job("training", 1), job("completed", 2)
    )

    assert [seen["status"] for seen in client.training_jobs.watch("job-1")] == ["queued", "training", "completed"]


def test_a_failed_job_is_an_exception_with_its_cause(api: FakeApi, client: Client) -> None:
    failure = {"code": "model_too_large", "message": "the model has 300 MB; lower n_estimators"}
    api.on("GET", "/v1/training-jobs/job-1", Answer({"job_id": "job-1", "status": "failed", "failure": failure}))

    with pytest.raises(NotReady, match="model_too_large: the model has 300 MB"):
        client.training_jobs.wait("job-1")


def test_logs_are_followed_until_the_job_has_ended(api: FakeApi, client: Client) -> None:
    def page(seen: Seen) -> Answer:
        lines = {None: ("a", "1"), "1": ("b", "2"), "2": (None, "2")}
        message, cursor = lines[seen.query.get("cursor")]
        return Answer({"lines": [{"timestamp": 0, "message": message}] if message else [], "next_cursor": cursor})

    api.on("GET", "/v1/training-jobs/job-1", Answer({"status": "training"}), Answer({"status": "completed"}))
    api.on("GET", "/v1/training-jobs/job-1/logs", page)

    assert [line["message"] for line in client.training_jobs.logs("job-1", follow=True)] == ["a", "b"]


def test_a_batch_that_is_too_large_is_halved(api: FakeApi, client: Client) -> None:
    def predict(seen: Seen) -> Answer:
        instances = seen.json["instances"]
        if len(instances) > 2:
            return Answer({"detail": "at most 2", "code": "too_large"}, 413)
        return Answer({"predictions": [{"value": i["x"]} for i in instances], "model": "m", "version": 1})

    api.on("POST", "/v1/models/m/predict", predict)

    answers = client.predict_batches("m", ({"x": i} for i in range(7)), batch_size=5)

    assert [p["value"] for _, answer in answers for p in answer["predictions"]] == list(range(7))


def test_one_row_that_is_too_large_is_an_error(api: FakeApi, client: Client) -> None:
    api.on("POST", "/v1/models/m/predict", Answer({"detail": "over 6 MB", "code": "too_large"}, 413))

    with pytest.raises(TooLarge):
        list(client.predict_batches("m", [{"x": "long"}]))


def test_an_alias_that_points_nowhere_is_told_with_those_that_exist(api: FakeApi, client: Client) -> None:
    api.on("GET", "/v1/models/m", Answer({"model": "m", "aliases": {"staging": {"version": 1, "revision": 1}}}))

    with pytest.raises(NotFound, match="no alias 'live' \\(it has: staging\\)"):
        client.models.resolve("m")


@pytest.mark.parametrize("altered", [False, True])
def test_a_download_is_checked_against_the_manifest(
    api: FakeApi, client: Client, tmp_path: Path, altered: bool
) -> None:
    content = b"model bytes"
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    api.on("GET", "/v1/models/m/versions/1", Answer({"files": {"model.onnx": entry}}))
    api.on("GET", "/v1/models/m/versions/1/files/model.onnx", Answer({"url": f"{api.url}/store", "expires_in": 60}))
    api.on("GET", "/store", Answer(content + b"!" if altered else content))

    if altered:
        with pytest.raises(IntegrityError):
            client.models.download("m", 1, "model.onnx", tmp_path)
        assert list(tmp_path.iterdir()) == []
    else:
        assert client.models.download("m", 1, "model.onnx", tmp_path).read_bytes() == content


def test_ids_cannot_reach_other_routes(api: FakeApi, client: Client) -> None:
    with pytest.raises(NotFound):
        client.keys.revoke("../usage")

    assert api.seen[0].path == "/v1/keys/..%2Fusage"
