"""The Open Inference Protocol under `/v2` (https://github.com/kserve/open-inference-protocol)."""

import orjson

from modelmill.errors import ModelmillError
from modelmill.serving.serve import ModelServer
from modelmill.serving.watchdog import Watchdog
from modelmill.tenancy.access import Access
from modelmill.web.data_routes import Route
from modelmill.web.events import Answer


class OpenInference:
    """The calls of the protocol."""

    def __init__(self, access: Access, server: ModelServer, watchdog: Watchdog) -> None:
        self._access = access
        self._server = server
        self._watchdog = watchdog

    def routes(self) -> list[Route]:
        """The routes of this protocol."""
        return []


def refuse_open_inference(error: ModelmillError, _request_id: str) -> Answer:
    """An error in the protocol's form."""
    headers = {"content-type": "application/json"}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return Answer(error.status, headers, orjson.dumps({"error": error.detail}))
