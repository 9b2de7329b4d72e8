"""The data plane over HTTP: from a request to a prediction, with nothing on the way that is not needed for it."""

import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from modelmill.errors import (
    ModelmillError,
    NotFound,
    TooLarge,
)
from modelmill.ids import check_name
from modelmill.serving.encode import MAX_ANSWER_BYTES, answer_bytes
from modelmill.serving.predict import predict
from modelmill.serving.remembered import Remembered
from modelmill.serving.serve import ModelServer, Wanted
from modelmill.serving.watchdog import Watchdog
from modelmill.tenancy.keys import Key, authenticate
from modelmill.web.credentials import sent_secret
from modelmill.web.events import Answer, Request
from modelmill.web.predict_body import read_predict_body
from modelmill.web.problems import problem, problem_headers
from modelmill.web.request_log import Trace

FUNCTION = "infer"
PREDICT_ROUTE = "POST /v1/models/{model}/predict"


class KeyFinder(Protocol):
    """What knows API keys."""

    def find(self, sha256: str) -> Key | None:
        """The key whose secret has this hash, unless revoked."""


class Inference:
    """Answers requests, one at a time; `write` takes one line of log per request."""

    def __init__(
        self,
        keys: KeyFinder,
        server: ModelServer,
        write: Callable[[bytes], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = Remembered(keys.find, clock=clock)
        self._server = server
        self._write = write
        self._watchdog = Watchdog()
        self._fresh = True

    def __call__(self, request: Request, deadline: float) -> Answer:
        """The answer to a request; a run past `deadline` (of `time.monotonic()`) is given up.

        `x-modelmill-cold` is true where this process or the model had to be started for the request.
        """
        trace = Trace(cold=self._fresh)
        self._fresh = False
        try:
            answer = self._predict(request, deadline, trace)
        except ModelmillError as error:
            trace.fields["code"] = error.code
            answer = _failed(error, request.request_id)
        except Exception:  # noqa: BLE001 the edge: nothing of it reaches the client
            trace.fields["exception"] = traceback.format_exc()
            answer = _failed(ModelmillError("something went wrong here; try again"), request.request_id)
        answer.headers["x-modelmill-cold"] = "true" if trace.cold else "false"
        answer.headers["server-timing"] = trace.server_timing()
        self._write(trace.line(FUNCTION, PREDICT_ROUTE, request.request_id, answer.status))
        return answer

    def _predict(self, request: Request, deadline: float, trace: Trace) -> Answer:
        name = _model_of(request)
        key = authenticate(self._key, sent_secret(request.headers))
        fields = trace.fields
        fields["tenant"], fields["model"] = key.tenant, name
        key.demand("predict")
        trace.mark("auth")
        body = read_predict_body(request.headers, request.body)
        fields["instances"] = len(body.instances)
        trace.mark("decode")
        served = self._server.find(Wanted(key.tenant, name, body.version, body.alias, request.request_id))
        fields["version"] = served.version
        trace.cold |= served.loaded
        trace.mark("load")
        model = served.model
        if len(body.instances) > model.encode.largest_batch:
            raise _too_large(len(body.instances), model.encode.largest_batch)
        tensors = model.decode(body.instances)
        trace.mark("decode")
        outputs = predict(model, tensors, self._watchdog, deadline)
        trace.mark("run")
        answer = _predicted(model.encode.predictions(outputs), name, served.version)
        trace.mark("encode")
        return answer


def _model_of(request: Request) -> str:
    parts = request.path.split("/")
    shaped = len(parts) == 5 and parts[:3] == ["", "v1", "models"] and parts[4] == "predict"
    if not shaped or request.method != "POST":
        raise NotFound("no such call")
    return check_name(parts[3], "model")


def _predicted(predictions: list[dict[str, Any]], model: str, version: int) -> Answer:
    body = orjson.dumps({"predictions": predictions, "model": model, "version": version})
    if len(body) > MAX_ANSWER_BYTES // 2 and (size := answer_bytes(body)) > MAX_ANSWER_BYTES:
        raise _too_large(len(predictions), len(predictions) * MAX_ANSWER_BYTES // size)
    return Answer(200, {"content-type": "application/json"}, body)


def _too_large(asked: int, fit: int) -> TooLarge:
    return TooLarge(f"the answer for {asked} instances would be too large; send at most {fit} at once")


def _failed(error: ModelmillError, request_id: str) -> Answer:
    return Answer(error.status, problem_headers(error), orjson.dumps(problem(error, request_id)))
