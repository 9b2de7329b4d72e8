"""Where everything lies in the store bucket."""

from modelmill.jobs.records import Job


def dataset_prefix(tenant: str, dataset_id: str, sha256: str) -> str:
    """The pin of a dataset: what training reads, and nothing else."""
    return f"datasets/{tenant}/{dataset_id}/{sha256}/"


def bundle_prefix(tenant: str, model: str, version: int) -> str:
    """Where a model version lies."""
    return f"models/{tenant}/{model}/{version}/"


def spec_prefix(job: Job) -> str:
    """The channel with a job's `spec.json`."""
    return f"jobs/{job.tenant}/{job.job_id}/spec/"


def output_prefix(job: Job) -> str:
    """Below this SageMaker writes a folder per attempt."""
    return f"jobs/{job.tenant}/{job.job_id}/output"
