"""Progress on stderr: a moving line on a terminal, one line per change elsewhere."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelmill_client.cli.session import Session
from modelmill_client.cli.text import cell, numbers, plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

REASONS = {"interrupted": "interrupted, waits for another machine to go on"}


def describe(job: dict[str, Any]) -> str:
    """The state in one line, such as `training · mlp fit 12/50 · loss 0.21 · val_loss 0.25`."""
    parts = [str(job["status"])]
    progress = job.get("progress") or {}
    if job.get("reason"):
        parts.append(REASONS.get(job["reason"], job["reason"]))
    elif job["status"] == "training" and progress.get("phase"):
        parts.append(describe_progress(progress))
    return plain(" · ".join(parts))


def describe_progress(progress: dict[str, Any]) -> str:
    """One report of a job that is training, such as `mlp fit 12/50 · loss 0.21`."""
    algorithm = f"{progress['algorithm']} " if progress.get("algorithm") else ""
    steps = f" {progress.get('step')}/{progress['total']}" if progress.get("total") else ""
    metrics = numbers(progress.get("metrics") or {}).items()
    return " · ".join(
        [f"{algorithm}{progress['phase']}{steps}", *(f"{name} {cell(round(value, 4))}" for name, value in metrics)]
    )


def describe_trial(trial: dict[str, Any]) -> str:
    """One trial of a search, such as `trial 4 done 0.93 · best 0.95 · C 1.2`."""
    value = f" {cell(round(trial['value'], 4))}" if trial.get("value") is not None else ""
    best = [f"best {cell(round(trial['best'], 4))}"] if trial.get("best") is not None else []
    settings = [f"{name} {_shown(value)}" for name, value in (trial.get("hyperparameters") or {}).items()]
    reason = [str(trial["reason"])] if trial.get("reason") else []
    return " · ".join([f"trial {trial['number']} {trial['state']}{value}", *best, *settings, *reason])


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def describe_log(message: str) -> str:
    """A line of a job's log; what it reports to programs is put into words."""
    try:
        report: Any = json.loads(message) if message.startswith('{"modelmill"') else None
    except ValueError:
        report = None
    match report:
        case {"modelmill": "progress", "phase": str()}:
            return describe_progress(report)
        case {"modelmill": "trial", "number": int(), "state": str()}:
            return describe_trial(report)
        case {"modelmill": "candidate", "algorithm": str(algorithm), "status": str(status), **rest}:
            score = f" · {rest['metric']} {cell(rest['score'])}" if rest.get("score") is not None else ""
            reason = f" · {rest['reason']}" if rest.get("reason") else ""
            return f"{algorithm} {status}{score}{reason}"
        case _:
            return message.rstrip()


class StatusLine:
    """Shows a job, or whatever else has a status, each time that it has changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._shown = ""
        self._trials = 0

    def __enter__(self) -> "StatusLine":
        if self._session.progress_console.is_terminal:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=self._session.progress_console, transient=True)
            self._task = self._progress.add_task("", total=None)
            self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, job: dict[str, Any]) -> None:
        """Brings the line up to date."""
        self._show_trials((job.get("progress") or {}).get("trials") or [])
        line = describe(job)
        if self._progress is not None and self._task is not None:
            from rich.markup import escape

            steps = job.get("progress") or {}
            self._progress.update(
                self._task, description=escape(line), completed=steps.get("step") or 0, total=steps.get("total")
            )
        elif line != self._shown:
            self._session.remark(line)
        self._shown = line

    def _show_trials(self, trials: list[dict[str, Any]]) -> None:
        """Those that have ended since the last call, each on a line that stays."""
        for trial in trials[self._trials :]:
            self._session.remark(plain(describe_trial(trial)))
        self._trials = max(self._trials, len(trials))


@contextmanager
def transfer(session: Session, label: str) -> Iterator[Any]:
    """Gives a function `(sent, size)` that draws a bar while a file is under way; draws nothing off a terminal."""
    if not session.progress_console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(label, markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=session.progress_console, transient=True) as progress:
        task = progress.add_task("upload", total=None)
        yield lambda sent, total: progress.update(task, completed=sent, total=total)


@contextmanager
def counting(session: Session, label: str, total: int | None, to_stdout: bool) -> Iterator[Callable[[int, int], None]]:
    """Gives a function `(rows, position)` that draws how many rows are done, and how much of `total` (None: unknown).

    It draws nothing off a terminal, nor between results that go to the same terminal.
    """
    if not session.progress_console.is_terminal or (to_stdout and sys.stdout.isatty()):
        yield lambda _rows, _position: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    share = () if total is None else (TextColumn("{task.percentage:>3.0f} %"),)
    remaining = () if total is None else (TimeRemainingColumn(),)
    columns = (
        TextColumn(plain(label), markup=False),
        BarColumn(bar_width=24),
        *share,
        TextColumn("{task.fields[rows]:,} rows · {task.fields[rate]:,.0f} rows/s"),
        *remaining,
    )
    start = time.monotonic()
    with Progress(*columns, console=session.progress_console, transient=True) as progress:
        task = progress.add_task("", total=total, rows=0, rate=0.0)

        def show(rows: int, position: int) -> None:
            rate = rows / max(time.monotonic() - start, 1e-3)
            progress.update(task, completed=position, rows=rows, rate=rate)

        yield show
