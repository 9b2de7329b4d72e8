"""Taking the bundle of a finished training job into the registry."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from modelmill import lease
from modelmill.jobs.records import Job, Jobs
from modelmill.models.admission import AdmittedBundle
from modelmill.models.promotion import live_move
from modelmill.models.registry import ModelVersion, Registry, summarize
from modelmill.models.rejection import BundleRejected
from modelmill.timestamps import iso

COMPLETE_ATTEMPTS = 3


class Bundles(Protocol):
    """Where training leaves bundles and where registered ones are kept."""

    def download_output(self, job: Job, folder: Path) -> None:
        """Copy the files that the job's last attempt left, into a flat folder.

        Raises:
            BundleRejected: there are too many, or they are too large.
        """

    def keep(self, tenant: str, model: str, version: int, folder: Path) -> None:
        """Write every file of the folder under the version; doing it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """What registering needs; `admit` checks a bundle in a local folder or raises `BundleRejected`."""

    jobs: Jobs
    registry: Registry
    bundles: Bundles
    admit: Callable[[Path], AdmittedBundle]


def register(registrar: Registrar, tenant: str, job_id: str) -> None:
    """Bring a job from `registering` to `completed`, or to `failed` with a rejected version; the alias stays then."""
    job = registrar.jobs.lease(tenant, job_id, "registering", time.time())
    if job is None:
        return
    number = registrar.jobs.number_version(job)
    try:
        with (
            lease.kept(lambda: registrar.jobs.renew(job, time.time())),
            TemporaryDirectory(prefix="modelmill-") as name,
        ):
            folder = Path(name)
            registrar.bundles.download_output(job, folder)
            bundle = registrar.admit(folder)
            registrar.bundles.keep(tenant, job.model, number, folder)
    except BundleRejected as rejected:
        _refuse(registrar, job, number, {"code": rejected.code, "message": rejected.message})
        return
    _complete(registrar, job, _version(job, number, bundle))


def _version(job: Job, number: int, bundle: AdmittedBundle) -> ModelVersion:
    return ModelVersion(
        tenant=job.tenant,
        model=job.model,
        version=number,
        status="ready",
        created_at=iso(time.time()),
        job_id=job.job_id,
        task=bundle.manifest.task,
        algorithm=bundle.manifest.algorithm,
        manifest_sha256=bundle.manifest_sha256,
        bytes=bundle.bytes,
        metrics=summarize(bundle.manifest.metrics.get("test", {})),
    )


def _refuse(registrar: Registrar, job: Job, number: int, failure: dict[str, str]) -> None:
    created = iso(time.time())
    version = ModelVersion(job.tenant, job.model, number, "rejected", created, job.job_id, failure=failure)
    registrar.jobs.refuse(job, version, failure, time.time())


def _complete(registrar: Registrar, job: Job, version: ModelVersion) -> None:
    """The alias may move between reading it and the transaction, so look again a few times."""
    for _ in range(COMPLETE_ATTEMPTS):
        move = live_move(registrar.registry, version, job.promote, job.created_by, job.job_id)
        if registrar.jobs.complete(job, version, move, time.time()):
            return
