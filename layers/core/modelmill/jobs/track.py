"""Bringing a job's record to what SageMaker says of it."""

import re
import time
from dataclasses import dataclass
from typing import Protocol

from modelmill.jobs.dispatch import parse_training_job_name
from modelmill.jobs.records import RANKS, Job, Jobs
from modelmill.jobs.submit import JobQueue, Stopper

LOOK_AGAIN_SECONDS = 60
REGISTER_SECONDS = 120
MAX_ATTEMPTS = 3

PREPARING = frozenset({"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack", "Downloading"})
TIMED_OUT = {
    "MaxRuntimeExceeded": (
        "max_runtime_exceeded",
        "training was stopped at its time limit; use less data or a smaller model, or ask for a longer max_runtime_s",
    ),
    "MaxWaitTimeExceeded": (
        "max_wait_exceeded",
        "there was too little spot capacity for too long; try again later, without spot, or on another instance_type",
    ),
}
INTERRUPTED = "interrupted"
OURS = re.compile(r"AlgorithmError: ([a-z][a-z0-9_]{2,40}): (.+?)(?:, exit code: \d+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What SageMaker says: its `TrainingJobStatus`, `SecondaryStatus` and `FailureReason`."""

    status: str
    secondary: str
    failure_reason: str | None = None


class TrainingStates(Stopper, Protocol):
    """What knows the state of training jobs."""

    def state(self, job: Job) -> TrainingState | None:
        """The state of this attempt, or None where it was never started."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """The stores that tracking needs."""

    jobs: Jobs
    training: TrainingStates
    admissions: JobQueue


def training_job_changed(tracker: Tracker, stack: str, name: str) -> None:
    """A training job of this name changed its state; names of other stacks and past attempts change nothing."""
    parsed = parse_training_job_name(stack, name)
    tenant = tracker.jobs.owner(parsed[0]) if parsed else None
    if parsed is None or tenant is None:
        return
    job = tracker.jobs.get(tenant, parsed[0])
    if job and job.attempt == parsed[1]:
        follow(tracker, job)


def follow(tracker: Tracker, job: Job) -> None:
    """Read the state of a job that should be running, and move the record accordingly."""
    if RANKS[job.status] >= RANKS["registering"]:
        return
    state = tracker.training.state(job)
    if state is None:
        if job.status != "queued":
            _start_again_or_fail(tracker, job, "lost", "the training job disappeared from SageMaker")
        return
    match state.status:
        case "Completed":
            _register(tracker, job)
        case "Failed":
            _failed(tracker, job, state)
        case "Stopped" if state.secondary in TIMED_OUT:
            _fail(tracker, job, *TIMED_OUT[state.secondary])
        case "Stopped":
            tracker.jobs.advance(job, "stopped", time.time(), None)
        case _:
            _running(tracker, job, state)


def _running(tracker: Tracker, job: Job, state: TrainingState) -> None:
    if job.stop_requested and state.status != "Stopping":
        tracker.training.stop(job)
    now = time.time()
    status = "starting" if state.secondary in PREPARING else "training"
    if not tracker.jobs.advance(job, status, now, now + LOOK_AGAIN_SECONDS):  # type: ignore[arg-type]
        tracker.jobs.postpone(job, now, now + LOOK_AGAIN_SECONDS, _why_it_waits(job, state))


def _why_it_waits(job: Job, state: TrainingState) -> str | None:
    """A spot job whose machine was taken away stays `training` until it goes on on another one."""
    taken = state.secondary == "Interrupted" or (job.status == "training" and state.secondary in PREPARING)
    return INTERRUPTED if taken else None


def _register(tracker: Tracker, job: Job) -> None:
    now = time.time()
    if tracker.jobs.advance(job, "registering", now, now + REGISTER_SECONDS):
        tracker.admissions.send(job.tenant, job.job_id)


def _failed(tracker: Tracker, job: Job, state: TrainingState) -> None:
    reason = state.failure_reason or ""
    if reason.startswith("InternalServerError") or state.secondary == "Interrupted":
        _start_again_or_fail(tracker, job, "platform_fault", "the platform failed while training; try again")
        return
    _fail(tracker, job, *explain(reason))


def explain(reason: str) -> tuple[str, str]:
    """Code and sentence of a `FailureReason`: our own cause where the job wrote one, else a general one.

    What SageMaker adds of its own (images, paths, ARNs) is left out.
    """
    ours = OURS.fullmatch(reason)
    if ours:
        return ours[1], ours[2].strip()
    if reason.startswith("ClientError"):
        return "training_data_unavailable", "SageMaker could not read the job's inputs"
    if "exit code: 137" in reason or "OutOfMemory" in reason:
        return "killed", "training was killed, as happens when memory runs out; use less data or a smaller model"
    return "training_failed", "training ended without saying why; its logs may tell"


def _start_again_or_fail(tracker: Tracker, job: Job, code: str, message: str) -> None:
    if job.attempt >= MAX_ATTEMPTS or job.stop_requested:
        _fail(tracker, job, code, message)
    else:
        tracker.jobs.retry(job, time.time(), code)


def _fail(tracker: Tracker, job: Job, code: str, message: str) -> None:
    tracker.jobs.advance(job, "failed", time.time(), None, failure={"code": code, "message": message})
