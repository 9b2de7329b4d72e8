"""One training job of the local SageMaker, from Starting to its end."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from modelmill_local.intrinsics import REGION
from modelmill_local.training_folder import DataDownloadError, TrainingFolder
from modelmill_local.training_machines import GRACE_SECONDS, Machines
from modelmill_local.training_process import TrainingProcess

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_SYNC_SECONDS = 0.5
_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Interrupted": "Managed spot training was interrupted; the job starts again when there is capacity",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}
TERMINAL = frozenset({"Completed", "Failed", "Stopped"})

Record = dict[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What a job needs of the local cloud."""

    work: Path
    logs: Path
    clients: Callable[[str], Any]
    changed: Callable[[Record], None]
    printed: Callable[[str, list[tuple[int, str]]], None]
    slots: threading.Semaphore
    interrupts: Callable[[str], bool]


class TrainingJob:
    """A record as DescribeTrainingJob gives it, and the thread that works on it."""

    def __init__(self, record: Record, around: Surroundings) -> None:
        self._record = record
        self._around = around
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._machines: Machines | None = None
        self._abandoned = False
        self._interrupted = False
        self._synced = 0.0

    @property
    def name(self) -> str:
        """Its TrainingJobName."""
        return str(self._record["TrainingJobName"])

    def describe(self) -> Record:
        """The record at this moment."""
        with self._lock:
            return dict(self._record)

    def start(self) -> None:
        """Work on it from now on, in the background."""
        self.move("InProgress", "Starting")
        threading.Thread(target=self._run, name=f"job {self.name}", daemon=True).start()

    def stop(self) -> bool:
        """Ask it to end; False where it has ended already."""
        if self.describe()["TrainingJobStatus"] in TERMINAL:
            return False
        if not self._stop.is_set():
            self._stop.set()
            self.move("Stopping", "Stopping")
        return True

    def abandon(self) -> None:
        """Kill its processes and change nothing more: the local cloud is going down."""
        self._abandoned = True
        self._stop.set()
        if self._machines is not None:
            self._machines.kill()

    def fail(self, reason: str) -> None:
        """End it as failed."""
        with self._lock:
            self._record["FailureReason"] = reason[:1024]
        self.move("Failed", "Failed")

    def move(self, status: str, secondary: str) -> None:
        """Take the next state; terminal ones stick."""
        now = time.time()
        with self._lock:
            record = self._record
            if self._abandoned or record["TrainingJobStatus"] in TERMINAL:
                return
            transitions = record["SecondaryStatusTransitions"]
            if transitions:
                transitions[-1].setdefault("EndTime", now)
            transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": _MESSAGES[secondary]})
            record |= {"TrainingJobStatus": status, "SecondaryStatus": secondary, "LastModifiedTime": now}
            if status in TERMINAL:
                transitions[-1]["EndTime"] = record["TrainingEndTime"] = now
                started = record.get("TrainingStartTime", now)
                record["TrainingTimeInSeconds"] = record["BillableTimeInSeconds"] = max(1, int(now - started))
            snapshot = dict(record)
        self._around.changed(snapshot)

    def _run(self) -> None:
        while not self._around.slots.acquire(timeout=_LOOK_SECONDS):
            if self._stop.is_set():
                return self.move("Stopped", "Stopped")
        machines = Machines(self._around.work / self.name, self._record, self._around.clients("s3"))
        self._machines = machines
        try:
            self._train(machines)
        except DataDownloadError as error:
            self.fail(f"ClientError: {error}")
        except (OSError, BotoCoreError, ClientError) as error:
            log.warning("%s: %s", self.name, error)
            self.fail(f"InternalServerError: We encountered an internal error. Please try again. ({error})")
        finally:
            machines.clear()
            self._around.slots.release()
        return None

    def _train(self, machines: Machines) -> None:
        trained = 0.0
        while not self._stop.is_set():
            self.move("InProgress", "Downloading")
            machines.fill()
            if self._stop.is_set():
                break
            started = time.time()
            with self._lock:
                self._record.setdefault("TrainingStartTime", started)
            self.move("InProgress", "Training")
            code, overtime = self._execute(machines, started, trained)
            if not self._interrupted:
                return self._end(machines, code, overtime)
            trained += time.time() - started
            self._change(machines)
        return self.move("Stopped", "Stopped")

    def _change(self, machines: Machines) -> None:
        """What is not in S3 is lost."""
        self.move("InProgress", "Interrupted")
        machines.clear()
        self._interrupted = False
        self.move("InProgress", "Starting")

    def _end(self, machines: Machines, code: int, overtime: bool) -> None:
        if self._stop.is_set() or overtime:
            self._upload(machines)
            return self.move("Stopped", "MaxRuntimeExceeded" if overtime else "Stopped")
        if code != 0:
            return self.fail(f"AlgorithmError: {machines.failure()}, exit code: {code}")
        self.move("InProgress", "Uploading")
        self._upload(machines)
        return self.move("Completed", "Completed")

    def _upload(self, machines: Machines) -> None:
        address = machines.upload(self.name)
        with self._lock:
            self._record["ModelArtifacts"] = {"S3ModelArtifacts": address}

    def _execute(self, machines: Machines, started: float, trained: float) -> tuple[int, bool]:
        """Run the start script, which earlier machines have run for some seconds; its exit code, and whether it ran
        out of time.
        """
        algorithm = self._record["AlgorithmSpecification"]
        command = [*algorithm.get("ContainerEntrypoint", ["train"]), *algorithm.get("ContainerArguments", [])]
        deadline = started - trained + self._record["StoppingCondition"].get("MaxRuntimeInSeconds", 86_400)

        def tick(process: TrainingProcess, host: str) -> None:
            if self._abandoned:
                process.kill()
            elif self._stop.is_set() or time.time() > deadline or self._is_interrupted():
                process.terminate(GRACE_SECONDS)
            if host == machines.hosts[0] and not self._interrupted and time.monotonic() - self._synced > _SYNC_SECONDS:
                machines.sync()
                self._synced = time.monotonic()

        def keep(host: str, lines: list[tuple[int, str]]) -> None:
            name = self.name if host == machines.hosts[0] else f"{self.name}.{host}"
            with (self._around.logs / f"{name}.log").open("a", encoding="utf-8") as file:
                file.writelines(f"{text}\n" for _, text in lines)
            self._around.printed(f"{self.name}/{host}-{int(started)}", lines)

        code = machines.execute(command, self._environment, keep, tick)
        if not self._interrupted:
            machines.sync()
        return code, not self._stop.is_set() and time.time() > deadline

    def _is_interrupted(self) -> bool:
        """Whether the machine of a spot job is taken away."""
        spot = self._record.get("EnableManagedSpotTraining", False)
        self._interrupted = self._interrupted or (spot and self._around.interrupts(self.name))
        return self._interrupted

    def _environment(self, folder: TrainingFolder) -> dict[str, str]:
        """What a container would see: nothing of this machine's settings, no credentials."""
        given = {name: folder.localize(value) for name, value in self._record.get("Environment", {}).items()}
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "HOME": str(folder.root),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "AWS_REGION": REGION,
            "MODELMILL_ML_ROOT": str(folder.root),
            "TRAINING_JOB_NAME": self.name,
            "TRAINING_JOB_ARN": str(self._record["TrainingJobArn"]),
            **given,
        }
