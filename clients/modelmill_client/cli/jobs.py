"""`modelmill jobs`, `stop` and `logs`"""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from modelmill_client.cli.command import command
from modelmill_client.cli.live import StatusLine, describe, describe_log
from modelmill_client.cli.metrics import show_leaderboard, show_metrics, show_optimization, show_split, show_tuning
from modelmill_client.cli.session import Session
from modelmill_client.cli.text import plain
from modelmill_client.errors import InvalidInput

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Id of a training job.")]


def jobs(
    session: Session,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Id of one job; all jobs without it.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")] = False,
) -> None:
    """List training jobs, or show one."""
    if job is not None and watch:
        finish(session, follow(session, job))
    elif job is not None:
        found = session.client.training_jobs.get(job)
        session.show(found, lambda: show_job(session, found))
    elif watch:
        raise InvalidInput("--watch follows one job, expected its id: `modelmill jobs JOB --watch`")
    else:
        _list(session)


def stop(session: Session, job: JobArgument) -> None:
    """Stop a training job."""
    stopped = session.client.training_jobs.stop(job)
    session.show(stopped, f"{job} is {stopped['status']}")


def logs(
    session: Session,
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
) -> None:
    """Print what a training job wrote; with --json, one JSON object a line."""
    for line in session.client.training_jobs.logs(job, follow=follow):
        if session.json_output:
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            moment = datetime.fromtimestamp(line["timestamp"] / 1000, UTC)
            sys.stdout.write(f"{moment:%H:%M:%S} {plain(describe_log(line['message']))}\n")
        sys.stdout.flush()


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (jobs, stop, logs):
        command(app, function.__name__)(function)


def follow(session: Session, job_id: str) -> dict[str, Any]:
    """Shows a job's progress until it ends, and gives it back as it is then."""
    job: dict[str, Any] = {}
    with StatusLine(session) as line:
        try:
            for job in session.client.training_jobs.watch(job_id):
                line.show(job)
        except KeyboardInterrupt:
            session.remark(f"{job_id} goes on; `modelmill stop {job_id}` would end it")
            raise
    return job


def finish(session: Session, job: dict[str, Any]) -> None:
    """Prints a job that has ended.

    Raises:
        NotReady: it failed or was stopped.
    """
    from modelmill_client.resources.training_jobs import check_completed

    check_completed(job)
    session.show(job, lambda: show_job(session, job))


def show_job(session: Session, job: dict[str, Any]) -> None:
    """Prints a job, with its metrics on held-out rows once there are any."""
    failure = job.get("failure") or {}
    session.facts(
        (
            ("job", job["job_id"]),
            ("status", describe(job)),
            ("model", job["model"]),
            ("version", job.get("model_version")),
            ("dataset", job["dataset_id"]),
            ("target", job["target"]),
            ("task", job.get("task")),
            ("algorithm", job.get("algorithm")),
            ("seed", job.get("seed")),
            ("machine", _machine(job.get("compute"))),
            ("failure", f"{failure['code']}: {failure['message']}" if failure else None),
        )
    )
    show_leaderboard(session, job.get("leaderboard"))
    show_tuning(session, (job.get("tuning") or {}).get("result"))
    show_metrics(session, job.get("metrics"))
    show_optimization(session, (job.get("optimize") or {}).get("result"))
    show_split(session, job)


def _machine(compute: dict[str, Any] | None) -> str | None:
    if not compute:
        return None
    spot = " (spot)" if compute.get("spot") else ""
    count = f"{compute['instance_count']} × " if compute.get("instance_count", 1) > 1 else ""
    return f"{count}{compute['instance_type']}{spot}, at most {compute['max_runtime_s']} s"


def _list(session: Session) -> None:
    session.list(
        session.client.training_jobs.list(),
        ("job", "model", "version#", "status", "algorithm", "dataset", "created"),
        lambda j: (
            j["job_id"],
            j["model"],
            j.get("model_version"),
            j["status"],
            j["algorithm"],
            j["dataset_id"],
            j["created_at"],
        ),
    )
