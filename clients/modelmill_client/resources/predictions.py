"""Predictions, in one call or in batches of any number of rows."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from modelmill_client.errors import TooLarge
from modelmill_client.transport import Json, Transport

# Of an uploaded model with one input, an instance may be that input's bare value.
Instance = Mapping[str, Any] | Sequence[Any] | float | bool


class Predictions:
    """Calls of a model's predict route."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def one(self, model: str, instances: Sequence[Instance], options: Mapping[str, Any]) -> Json:
        """The server's answer `{predictions, model, version}` to one request; options that are None are left out."""
        given = {name: value for name, value in options.items() if value is not None}
        path = f"/v1/models/{quote(model, safe='')}/predict"
        return self._transport.post(path, {"instances": list(instances), **given}, safe=True)

    def batches(
        self, model: str, instances: Iterable[Instance], options: Mapping[str, Any], batch_size: int
    ) -> Iterator[tuple[list[Instance], Json]]:
        """Each batch with its answer, in order, all from the version that answers first.

        A batch that is too large for one call is halved; after that, batches grow again slowly.
        """
        source = iter(instances)
        size = batch_size
        while batch := list(itertools.islice(source, size)):
            try:
                answer = self.one(model, batch, options)
            except TooLarge:
                if len(batch) == 1:
                    raise
                size = len(batch) // 2
                source = itertools.chain(batch, source)
            else:
                yield batch, answer
                size = min(batch_size, size + max(1, size // 16))
                options = {**options, "version": answer["version"], "alias": None}
