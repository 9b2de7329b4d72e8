"""Where everything lies: keys of rows in the table, prefixes in the store bucket."""

type Row = tuple[str, str]

# What begins the key of a row that waits for a file.
DATASET, BASE_MODEL = "DATASET", "BASEMODEL"


def tenant_key(tenant: str) -> str:
    """The partition of a tenant's datasets, jobs, models and keys."""
    return f"T#{tenant}"


def model_key(tenant: str, model: str) -> str:
    """The partition of a model's versions, aliases and ledger."""
    return f"{tenant_key(tenant)}#M#{model}"


def uploaded_row(kind: str, tenant: str, record_id: str) -> Row:
    """The row of a DATASET or a BASE_MODEL."""
    return (tenant_key(tenant), f"{kind}#{record_id}")


def model_row(tenant: str, model: str) -> Row:
    """The row of a model."""
    return (tenant_key(tenant), f"MODEL#{model}")


def version_row(tenant: str, model: str, version: int) -> Row:
    """The row of a model version; zeros keep the numbers in order."""
    return (model_key(tenant, model), f"VERSION#{version:08}")


def alias_row(tenant: str, model: str, alias: str) -> Row:
    """The row of an alias."""
    return (model_key(tenant, model), f"ALIAS#{alias}")


def usage_row(tenant: str) -> Row:
    """The row of a tenant's counters."""
    return (tenant_key(tenant), "USAGE")


def predictions_row(tenant: str) -> Row:
    """The row that `infer` writes: predictions by month, and how often the tenant's keys have changed."""
    return (f"USAGE#{tenant}", "PREDICTIONS")


def month_attribute(month: str) -> str:
    """Where the predictions of a month (`2026-11`) are counted."""
    return "m" + month.replace("-", "_")


def secret_row(sha256: str) -> Row:
    """The row that authenticates the key whose secret has this hash."""
    return (f"KEY#{sha256}", "KEY")


def dataset_prefix(tenant: str, dataset_id: str, sha256: str) -> str:
    """The pin of a dataset: what training reads, and nothing else."""
    return f"datasets/{tenant}/{dataset_id}/{sha256}/"


def base_model_prefix(tenant: str, base_model_id: str, sha256: str) -> str:
    """The pin of a base model: what training reads, and nothing else."""
    return f"base-models/{tenant}/{base_model_id}/{sha256}/"


def bundle_prefix(tenant: str, model: str, version: int) -> str:
    """Where a model version lies."""
    return f"models/{tenant}/{model}/{version}/"


def spec_prefix(tenant: str, job_id: str) -> str:
    """The channel with a job's `spec.json`."""
    return f"jobs/{tenant}/{job_id}/spec/"


def checkpoint_prefix(tenant: str, job_id: str) -> str:
    """Where all attempts of a job keep the state of what they train; a lifecycle rule of the bucket empties it."""
    return f"checkpoints/{tenant}/{job_id}/"


def output_prefix(tenant: str, job_id: str) -> str:
    """Below this SageMaker writes a folder per attempt."""
    return f"jobs/{tenant}/{job_id}/output"
