"""The machines of one training job: a folder and a process for each, all of them on this machine."""

import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelmill_local.training_folder import TrainingFolder
from modelmill_local.training_process import TrainingProcess

GRACE_SECONDS = 10.0

Keep = Callable[[str, list[tuple[int, str]]], None]


class Machines:
    """Named algo-1, algo-2 and so on, as SageMaker names them; the first one's folder stands for the job's."""

    def __init__(self, root: Path, request: dict[str, Any], s3: Any) -> None:
        count = request["ResourceConfig"].get("InstanceCount", 1)
        self.hosts = [f"algo-{number}" for number in range(1, count + 1)]
        places = {host: root if host == self.hosts[0] else root.with_name(f"{root.name}.{host}") for host in self.hosts}
        self.folders = {host: TrainingFolder(place, request, s3, host, self.hosts) for host, place in places.items()}
        self._processes: dict[str, TrainingProcess] = {}
        self._failed: list[int] = []

    def fill(self) -> None:
        """Bring every folder to what a job finds. Raises: as `TrainingFolder.fill`."""
        for folder in self.folders.values():
            folder.fill()

    def clear(self) -> None:
        """Remove every folder."""
        for folder in self.folders.values():
            shutil.rmtree(folder.root, ignore_errors=True)

    def sync(self) -> None:
        """Send new checkpoints to S3."""
        for folder in self.folders.values():
            if folder.checkpoints is not None:
                folder.checkpoints.upload()

    def failure(self) -> str:
        """What the first machine that wrote about its failure did."""
        return next(filter(None, (folder.failure() for folder in self.folders.values())), "")

    def upload(self, job_name: str) -> str:
        """Upload what every machine has made; the address of the model."""
        addresses = [folder.upload(job_name) for folder in self.folders.values()]
        return addresses[0]

    def execute(
        self,
        command: list[str],
        environment: Callable[[TrainingFolder], Mapping[str, str]],
        keep: Keep,
        tick: Callable[[TrainingProcess, str], None],
    ) -> int:
        """Run a command on all; the exit code of the first that failed, after which the others are ended, or 0."""
        addresses = {"MODELMILL_ADDRESSES": ",".join(_free_addresses(len(self.hosts)))} if len(self.hosts) > 1 else {}
        self._failed = []
        self._processes = {
            host: TrainingProcess(
                [folder.localize(part) for part in command], folder.root, {**environment(folder), **addresses}
            )
            for host, folder in self.folders.items()
        }
        first, *others = self.hosts
        threads = [threading.Thread(target=self._follow, args=(host, keep, tick), daemon=True) for host in others]
        for thread in threads:
            thread.start()
        self._follow(first, keep, tick)
        for thread in threads:
            thread.join()
        return self._failed[0] if self._failed else 0

    def kill(self) -> None:
        """End all processes at once."""
        for process in self._processes.values():
            process.kill()

    def _follow(self, host: str, keep: Keep, tick: Callable[[TrainingProcess, str], None]) -> None:
        process = self._processes[host]

        def each() -> None:
            tick(process, host)
            if self._failed:
                process.terminate(GRACE_SECONDS)

        code = process.follow(lambda lines: keep(host, lines), each)
        if code:
            self._failed.append(code)


def _free_addresses(count: int) -> list[str]:
    """Where machines that share this one can listen."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    return addresses
