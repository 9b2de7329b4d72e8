"""Predictions, in one call or in batches of any number of rows."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from modelmill_client.errors import TooLarge
from modelmill_client.transport import Json, Transport

Instance = Mapping[str, Any] | Sequence[Any]


class Predictions:
    """Calls of a model's predict route."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def one(
        self, model: str, instances: Sequence[Instance], *, version: int | None = None, alias: str | None = None
    ) -> Json:
        """The server's answer `{predictions, model, version}` to one request."""
        body: Json = {"instances": list(instances)}
        if version is not None:
            body["version"] = version
        if alias is not None:
            body["alias"] = alias
        return self._transport.post(f"/v1/models/{quote(model, safe='')}/predict", body, safe=True)

    def batches(
        self,
        model: str,
        instances: Iterable[Instance],
        *,
        version: int | None = None,
        alias: str | None = None,
        batch_size: int = 500,
    ) -> Iterator[tuple[list[Instance], Json]]:
        """Each batch with its answer, in order; a batch that is too large for one call is halved."""
        source = iter(instances)
        while batch := list(itertools.islice(source, batch_size)):
            yield from self._halving(model, batch, version, alias)

    def _halving(
        self, model: str, batch: list[Instance], version: int | None, alias: str | None
    ) -> Iterator[tuple[list[Instance], Json]]:
        try:
            answer = self.one(model, batch, version=version, alias=alias)
        except TooLarge:
            if len(batch) == 1:
                raise
            middle = len(batch) // 2
            yield from self._halving(model, batch[:middle], version, alias)
            yield from self._halving(model, batch[middle:], version, alias)
        else:
            yield batch, answer
