"""The data plane over HTTP: from a request to an answer, with nothing on the way that is not needed for it."""

import traceback
from collections.abc import Callable

from modelmill.errors import ModelmillError
from modelmill.serving.serve import ModelServer
from modelmill.serving.watchdog import Watchdog
from modelmill.tenancy.access import Access
from modelmill.web.credentials import sent_secret
from modelmill.web.data_routes import Call, Found, Routes
from modelmill.web.events import Answer, Request
from modelmill.web.open_inference import OpenInference, refuse_open_inference
from modelmill.web.predictions import Predictions, refuse_with_problem
from modelmill.web.request_log import Trace

FUNCTION = "infer"
NO_ROUTE = "none"
MAX_CAUSE = 500


class Inference:
    """Answers requests, one at a time; `write` takes one line of log per request."""

    def __init__(self, access: Access, server: ModelServer, write: Callable[[bytes], object]) -> None:
        watchdog = Watchdog()
        predictions = Predictions(access, server, watchdog)
        open_inference = OpenInference(access, server, watchdog)
        self.routes = [*predictions.routes(), *open_inference.routes()]
        self._routes = Routes(self.routes)
        self._access = access
        self._write = write
        self._fresh = True

    def __call__(self, request: Request, deadline: float) -> Answer:
        """The answer to a request; a run past `deadline` (of `time.monotonic()`) is given up.

        `x-modelmill-cold` is true where this process or the model had to be started for the request.
        """
        trace = Trace(cold=self._fresh)
        self._fresh = False
        found: Found | None = None
        try:
            found = self._routes.find(request.method, request.path)
            key = None if found.route.open else self._access.key(sent_secret(request.headers))
            trace.mark("auth")
            answer = found.route.answer(Call(request, deadline, trace, key), found.target)
        except ModelmillError as error:
            trace.fields["code"] = error.code
            if error.__cause__ is not None:
                trace.fields["cause"] = repr(error.__cause__)[:MAX_CAUSE]
            answer = _refused(error, request, found)
        except Exception:  # noqa: BLE001 the edge: nothing of it reaches the client
            trace.fields["exception"] = traceback.format_exc()
            answer = _refused(ModelmillError("something went wrong here; try again"), request, found)
        headers = answer.headers
        headers["x-modelmill-cold"] = "true" if trace.cold else "false"
        headers["server-timing"] = trace.server_timing()
        self._write(trace.line(FUNCTION, found.label if found else NO_ROUTE, request.request_id, answer.status))
        return answer


def _refused(error: ModelmillError, request: Request, found: Found | None) -> Answer:
    if found is not None:
        return found.route.refuse(error, request.request_id)
    is_open_inference = request.path == "/v2" or request.path.startswith("/v2/")
    return (refuse_open_inference if is_open_inference else refuse_with_problem)(error, request.request_id)
