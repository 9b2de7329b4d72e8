"""Training jobs: starting, watching and stopping them, and reading their logs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from modelmill_client.paging import pages
from modelmill_client.transport import Json, Transport
from modelmill_client.waiting import Clock, ended_as, polling, snapshots

ENDED = frozenset({"completed", "failed", "stopped"})


class TrainingJobs:
    """`client.training_jobs`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        dataset_id: str,
        model: str,
        target: str | None = None,
        *,
        features: Sequence[str] | None = None,
        task: str | None = None,
        algorithm: str | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        promote: bool | None = None,
        seed: int | None = None,
        tuning: Mapping[str, Any] | None = None,
        compute: Mapping[str, Any] | None = None,
        optimize: Mapping[str, Any] | None = None,
        time: str | None = None,
        series: str | None = None,
        horizon: int | None = None,
        base_model: str | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Starts a training job; what is None is left to the server: the dataset's target, all features, a choice of
        algorithms. `tuning`, such as `{"trials": 30, "timeout_s": 600, "metric": "f1"}` or `{}`, searches for the
        hyper-parameters that are not given. `compute`, such as `{"instance_type": "ml.m5.xlarge",
        "max_runtime_s": 600}`, is the machine to train on. `optimize`, such as `{"quantize": "int8",
        "max_metric_loss": 0.01}`, keeps a smaller form of the model where it is as good. `time`, `series` and `horizon`
        are for forecasting, `base_model` is the id of what `bert` starts from.
        """
        optional = {
            "target": target,
            "features": list(features) if features is not None else None,
            "task": task,
            "algorithm": algorithm,
            "hyperparameters": dict(hyperparameters) if hyperparameters is not None else None,
            "promote": promote,
            "seed": seed,
            "tuning": dict(tuning) if tuning is not None else None,
            "compute": dict(compute) if compute is not None else None,
            "optimize": dict(optimize) if optimize is not None else None,
            "time": time,
            "series": series,
            "horizon": horizon,
            "base_model": base_model,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        body = {"dataset_id": dataset_id, "model": model, **given}
        return self._transport.create("/v1/training-jobs", body, idempotency_key=idempotency_key)

    def list(self, page_size: int | None = None) -> Iterator[Json]:
        """All jobs, newest first."""
        return pages(self._transport, "/v1/training-jobs", "jobs", page_size)

    def get(self, job_id: str) -> Json:
        """One job with its progress and, at the end, metrics or the cause of its failure."""
        return self._transport.get(_path(job_id))

    def stop(self, job_id: str) -> Json:
        """Asks the job to stop.

        Raises:
            Conflict: it has ended, or its model is being registered.
        """
        return self._transport.post(f"{_path(job_id)}/stop", {}, safe=True)

    def watch(self, job_id: str, *, timeout: float | None = None) -> Iterator[Json]:
        """The job each time that it has changed, until it is completed, failed or stopped."""
        return snapshots(lambda: self.get(job_id), ENDED, timeout=timeout, what=f"job {job_id}")

    def wait(self, job_id: str, *, timeout: float | None = None) -> Json:
        """The job once it is completed.

        Raises:
            NotReady: it failed or was stopped.
            WaitTimeout: it is still under way after `timeout` seconds.
        """
        *_, job = self.watch(job_id, timeout=timeout)
        return check_completed(job)

    def logs(self, job_id: str, *, follow: bool = False, clock: Clock | None = None) -> Iterator[Json]:
        """Log lines `{timestamp, message}`, oldest first; with `follow`, until the job has ended."""
        clock = clock or Clock()
        cursor: str | None = None
        pauses = polling(0.5)
        while True:
            ended = not follow or self.get(job_id)["status"] in ENDED
            page = self._transport.get(f"{_path(job_id)}/logs", {"cursor": cursor})
            lines = page.get("lines", [])
            yield from lines
            moved = page.get("next_cursor") not in (None, cursor)
            cursor = page.get("next_cursor") or cursor
            if ended and not (moved and lines):
                return
            if not lines:
                clock.sleep(next(pauses))


def check_completed(job: Json) -> Json:
    """The job itself.

    Raises:
        NotReady: it ended in another way.
    """
    return ended_as("completed", job, f"job {job['job_id']} {job['status']}")


def _path(job_id: str) -> str:
    return f"/v1/training-jobs/{quote(job_id, safe='')}"
