"""Starting a queued job on SageMaker, exactly once however often it is asked for."""

import random
import time
from typing import Protocol

from modelmill.jobs.records import Job, Jobs

FIRST_LOOK_SECONDS = 60
WAIT_SECONDS = (30, 60, 120, 300)


class AlreadyStarted(Exception):
    """A training job of this name exists: an earlier try got further than it could tell."""


class NoCapacity(Exception):
    """The platform cannot start it at present; `reason` is a code for clients."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Exception):
    """The platform will never start this request."""


class Trainer(Protocol):
    """What starts training jobs."""

    def code_is_published(self) -> bool:
        """Whether the training code lies where jobs read it."""

    def start(self, job: Job) -> None:
        """Start this attempt of the job under its own name.

        Raises:
            AlreadyStarted, NoCapacity, Refused.
        """


def training_job_name(stack: str, job: Job) -> str:
    """The name of this attempt on SageMaker, the same whenever it is computed."""
    return f"{stack}-{job.job_id}-{job.attempt}"


def parse_training_job_name(stack: str, name: str) -> tuple[str, int] | None:
    """Job id and attempt, or None where the name is not one of this stack's."""
    job_id, _, attempt = name.removeprefix(f"{stack}-").rpartition("-")
    ours = name.startswith(f"{stack}-job-") and attempt.isdecimal()
    return (job_id, int(attempt)) if ours else None


def dispatch(jobs: Jobs, trainer: Trainer, tenant: str, job_id: str) -> None:
    """Bring a queued job to `starting`, or let it wait where there is no capacity."""
    job = jobs.lease(tenant, job_id, "queued", time.time())
    if job is None:
        return
    now = time.time()
    if job.stop_requested:
        jobs.advance(job, "stopped", now, None)
    elif now > job.queued_until:
        _fail(jobs, job, "capacity", "no capacity was free for several hours; try again later or with a smaller model")
    elif not trainer.code_is_published():
        _fail(jobs, job, "training_code_missing", "the training code of this stack is not published; run 'make deploy'")
    else:
        _start(jobs, trainer, job)


def _start(jobs: Jobs, trainer: Trainer, job: Job) -> None:
    try:
        trainer.start(job)
    except AlreadyStarted:
        pass
    except NoCapacity as error:
        now = time.time()
        wait = WAIT_SECONDS[min(job.looks, len(WAIT_SECONDS) - 1)]
        jobs.postpone(job, now, now + wait * random.uniform(0.8, 1.2), error.reason)
        return
    except Refused:
        _fail(jobs, job, "start_refused", "SageMaker refused to start the job; the operator's logs say why")
        return
    now = time.time()
    jobs.advance(job, "starting", now, now + FIRST_LOOK_SECONDS)


def _fail(jobs: Jobs, job: Job, code: str, message: str) -> None:
    jobs.advance(job, "failed", time.time(), None, failure={"code": code, "message": message})
