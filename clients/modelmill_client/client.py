"""The client: one object with everything that the API offers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from modelmill_client.config import resolve
from modelmill_client.paging import pages
from modelmill_client.resources.base_models import BaseModels
from modelmill_client.resources.datasets import Datasets
from modelmill_client.resources.keys import Keys
from modelmill_client.resources.models import Models
from modelmill_client.resources.predictions import Instance, Predictions
from modelmill_client.resources.training_jobs import TrainingJobs
from modelmill_client.retrying import RetryPolicy
from modelmill_client.transport import Json, Transport


class Client:
    """A connection to a modelmill server.

    Without arguments, the address and the key come from MODELMILL_URL and MODELMILL_API_KEY, or from the folder
    `.modelmill` that `modelmill up` keeps in the current folder. Not to be shared between threads.

    Example:
        with Client("http://127.0.0.1:8080", "mm_…") as client:
            dataset = client.datasets.upload("cells.csv", target="diagnosis", wait=True)
            job = client.training_jobs.create(dataset["dataset_id"], "cells", "diagnosis")
            client.training_jobs.wait(job["job_id"])
            client.predict("cells", [{"radius": 14.2, "texture": 20.1}])
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        state: str | Path = ".modelmill",
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        settings = resolve(url, api_key, Path(state))
        self._transport = Transport(settings.url, settings.api_key, timeout=timeout, retry=retry)
        self._predictions = Predictions(self._transport)
        self.datasets = Datasets(self._transport)
        self.base_models = BaseModels(self._transport)
        self.training_jobs = TrainingJobs(self._transport)
        self.models = Models(self._transport)
        self.keys = Keys(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    def predict(
        self,
        model: str,
        instances: Sequence[Instance],
        *,
        version: int | None = None,
        alias: str | None = None,
        top_k: int | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> Json:
        """Predictions for instances that fit into one call: `{predictions, model, version}`.

        Instances are mappings of column names, or sequences in the order of the version's signature; of an uploaded
        model mappings of input names, or the bare value where there is one input.

        top_k: of classes, only so many, most probable first.
        thresholds: a class is chosen when its probability reaches its threshold (above 0, at most 1): of several the
            one that exceeds its own by the largest factor, else the most probable class without a threshold, else None.
        """
        options = _options(version, alias, top_k, thresholds)
        return self._predictions.one(model, instances, options)

    def predict_batches(
        self,
        model: str,
        instances: Iterable[Instance],
        *,
        version: int | None = None,
        alias: str | None = None,
        top_k: int | None = None,
        thresholds: Mapping[str, float] | None = None,
        batch_size: int = 500,
    ) -> Iterator[tuple[list[Instance], Json]]:
        """Any number of instances, batch by batch, as they are consumed: pairs of the batch and its answer.

        All are predicted by one version, also when the alias moves meanwhile; a batch that is too large is halved.
        """
        options = _options(version, alias, top_k, thresholds)
        return self._predictions.batches(model, instances, options, batch_size)

    def algorithms(self) -> list[dict[str, Any]]:
        """The catalogue: per algorithm its tasks and its hyper-parameters as JSON Schema."""
        return list(pages(self._transport, "/v1/algorithms", "algorithms"))

    def usage(self) -> Json:
        """The tenant's quotas and how much of them is used."""
        return self._transport.get("/v1/usage")

    def health(self) -> Json:
        """The server's status and version; needs no valid key."""
        return self._transport.get("/health")


def _options(
    version: int | None, alias: str | None, top_k: int | None, thresholds: Mapping[str, float] | None
) -> dict[str, Any]:
    """The fields of a predict call beside its instances."""
    limits = dict(thresholds) if thresholds is not None else None
    return {"version": version, "alias": alias, "top_k": top_k, "thresholds": limits}
