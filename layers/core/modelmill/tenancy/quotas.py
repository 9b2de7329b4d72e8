"""What a tenant may have at once. Counters change in the same transaction as the state that they count."""

from typing import Any, NamedTuple, Protocol


class Limits(NamedTuple):
    """The limits of every tenant of this stack; 0 monthly predictions set no limit."""

    concurrent_jobs: int
    datasets: int
    upload_bytes: int
    base_models: int
    base_model_bytes: int
    model_uploads: int
    model_bytes: int
    monthly_predictions: int


class Usage(NamedTuple):
    """What a tenant has now: jobs and uploads of models that have not ended, datasets and base models neither
    gone nor refused.

    monthly_predictions: of this month (UTC); some seconds behind.
    """

    concurrent_jobs: int = 0
    datasets: int = 0
    base_models: int = 0
    model_uploads: int = 0
    monthly_predictions: int = 0


class UsageStore(Protocol):
    """Where usage is counted."""

    def usage(self, tenant: str) -> Usage:
        """What the tenant has now."""


def report(usage: Usage, limits: Limits) -> dict[str, Any]:
    """Usage beside limits, JSON-ready."""
    return {
        "quotas": {
            "concurrent_jobs": {"used": usage.concurrent_jobs, "limit": limits.concurrent_jobs},
            "datasets": {"used": usage.datasets, "limit": limits.datasets},
            "upload_bytes": {"limit": limits.upload_bytes},
            "base_models": {"used": usage.base_models, "limit": limits.base_models},
            "base_model_bytes": {"limit": limits.base_model_bytes},
            "model_uploads": {"used": usage.model_uploads, "limit": limits.model_uploads},
            "model_bytes": {"limit": limits.model_bytes},
            "monthly_predictions": {"used": usage.monthly_predictions, "limit": limits.monthly_predictions or None},
        }
    }
