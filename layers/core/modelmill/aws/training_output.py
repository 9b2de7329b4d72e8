"""What training leaves in the store bucket, and its way into a registered bundle."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelmill.aws.layout import bundle_prefix, output_prefix
from modelmill.aws.s3 import Bucket
from modelmill.jobs.dispatch import training_job_name
from modelmill.jobs.records import Job
from modelmill.models.rejection import BundleRejected

MAX_BUNDLE_FILES = 50
MAX_BUNDLE_BYTES = 300 * 1024 * 1024
PARALLEL_COPIES = 8


class TrainingOutput:
    """Implements `jobs.register.Bundles`."""

    def __init__(self, bucket: Bucket, stack: str) -> None:
        self._bucket = bucket
        self._stack = stack

    def download_output(self, job: Job, folder: Path) -> None:
        """See `Bundles`."""
        prefix = f"{output_prefix(job.tenant, job.job_id)}/{training_job_name(self._stack, job)}/output/model/"
        found = list(self._bucket.objects(prefix))
        if len(found) > MAX_BUNDLE_FILES or sum(size for _, size in found) > MAX_BUNDLE_BYTES:
            raise BundleRejected("bundle_too_large", f"{len(found)} files, or more than {MAX_BUNDLE_BYTES >> 20} MB")
        names = [key.removeprefix(prefix) for key, _ in found]
        if any("/" in name or name.startswith(".") for name in names):
            raise BundleRejected("artifact_corrupt", "the output holds files with unexpected names")
        _each(lambda name: self._bucket.download(prefix + name, folder / name), names)

    def keep(self, tenant: str, model: str, version: int, folder: Path) -> None:
        """See `Bundles`."""
        prefix = bundle_prefix(tenant, model, version)
        _each(lambda path: self._bucket.upload(path, prefix + path.name), sorted(folder.iterdir()))


def _each[Thing](work: Callable[[Thing], None], things: Iterable[Thing]) -> None:
    with ThreadPoolExecutor(PARALLEL_COPIES) as pool:
        list(pool.map(work, things))
