"""The folder that SageMaker mounts as /opt/ml: filled from S3 before a job, emptied into S3 after it."""

import json
import tarfile
from pathlib import Path
from typing import Any

from modelmill_local.s3_folders import SyncedFolder, download, split_uri

MOUNT = "/opt/ml"
_SCRIPTS = (".py", ".sh")


class DataDownloadError(Exception):
    """A channel names data that is not there."""


class TrainingFolder:
    """One host's /opt/ml of a job on several `hosts`, at a place of its own on this machine."""

    def __init__(self, root: Path, request: dict[str, Any], s3: Any, host: str, hosts: list[str]) -> None:
        self.root = root
        self._host, self._hosts = host, hosts
        self._request = request
        self._s3 = s3
        self.checkpoints: SyncedFolder | None = None
        if config := request.get("CheckpointConfig"):
            place = Path(self.localize(config.get("LocalPath", f"{MOUNT}/checkpoints")))
            self.checkpoints = SyncedFolder(s3, config["S3Uri"], place)

    def fill(self) -> None:
        """Write the configuration and download every channel. Raises: DataDownloadError, botocore's errors."""
        for name in ("model", "output/data", "input/config", "input/data"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        channels = self._request.get("InputDataConfig", [])
        self._configure("hyperparameters", self._request.get("HyperParameters", {}))
        self._configure("inputdataconfig", {c["ChannelName"]: {"TrainingInputMode": "File"} for c in channels})
        self._configure("resourceconfig", self._resources())
        for channel in channels:
            self._download(channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"])
        if self.checkpoints is not None:
            self.checkpoints.fill()

    def localize(self, text: str) -> str:
        """The text with paths under /opt/ml turned into paths of this folder."""
        return text.replace(MOUNT, str(self.root))

    def failure(self) -> str:
        """What the job wrote about its failure, cut as SageMaker cuts it."""
        path = self.root / "output" / "failure"
        return path.read_text("utf-8", "replace").strip()[:1024] if path.is_file() else ""

    def upload(self, job_name: str) -> str:
        """Upload model and output data; the address of the model."""
        config = self._request["OutputDataConfig"]
        target = f"{config['S3OutputPath'].rstrip('/')}/{job_name}/output"
        bare = config.get("CompressionType") == "NONE"
        put = self._put_files if bare else self._put_archive
        put(self.root / "output" / "data", f"{target}/data" if bare else f"{target}/output.tar.gz")
        return put(self.root / "model", f"{target}/model" if bare else f"{target}/model.tar.gz")

    def _configure(self, name: str, content: dict[str, Any]) -> None:
        (self.root / "input" / "config" / f"{name}.json").write_text(json.dumps(content), "utf-8")

    def _resources(self) -> dict[str, Any]:
        instance_type, name = self._request["ResourceConfig"].get("InstanceType", "local"), "homogeneousCluster"
        return {
            "current_host": self._host,
            "current_instance_type": instance_type,
            "current_group_name": name,
            "hosts": self._hosts,
            "instance_groups": [{"instance_group_name": name, "instance_type": instance_type, "hosts": self._hosts}],
            "network_interface_name": "lo",
        }

    def _download(self, channel: str, uri: str) -> None:
        paths = download(self._s3, uri, self.root / "input" / "data" / channel)
        if not paths:
            raise DataDownloadError(f"Data download failed:S3 key: {uri} matched no files on s3")
        for path in paths:
            self._localize_script(path)

    def _localize_script(self, path: Path) -> None:
        """Scripts name /opt/ml, where nothing can be mounted without privileges."""
        if path.suffix in _SCRIPTS and MOUNT in (text := path.read_text("utf-8")):
            path.write_text(self.localize(text), "utf-8")

    def _put_files(self, folder: Path, target: str) -> str:
        bucket, prefix = split_uri(target)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self._s3.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")
        return target

    def _put_archive(self, folder: Path, target: str) -> str:
        names = sorted(path.name for path in folder.iterdir())
        if names:
            archive = self.root / Path(target).name
            with tarfile.open(archive, "w:gz") as tar:
                for name in names:
                    tar.add(folder / name, name)
            self._s3.upload_file(str(archive), *split_uri(target))
        return target
