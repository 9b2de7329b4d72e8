"""`POST /v1/models/{model}/predict`: named columns in, predictions that people read out."""

from typing import Any

import orjson

from modelmill.errors import InvalidRequest, ModelmillError, TooLarge
from modelmill.serving.choice import Choice, check_choice, choose
from modelmill.serving.encode import MAX_ANSWER_BYTES, Encoder, Outputs, answer_bytes
from modelmill.serving.predict import predict
from modelmill.serving.serve import ModelServer, Wanted
from modelmill.serving.watchdog import Watchdog
from modelmill.tenancy.access import Access
from modelmill.web.data_routes import Call, Route, Target
from modelmill.web.events import Answer
from modelmill.web.predict_body import read_predict_body
from modelmill.web.problems import problem, problem_headers


class Predictions:
    """The data plane's own call."""

    def __init__(self, access: Access, server: ModelServer, watchdog: Watchdog) -> None:
        self._access = access
        self._server = server
        self._watchdog = watchdog

    def routes(self) -> list[Route]:
        """The routes of this protocol."""
        return [Route("POST", "/v1/models/{model}/predict", self.predict, refuse_with_problem)]

    def predict(self, call: Call, target: Target) -> Answer:
        """One prediction per instance, in order."""
        tenant, trace, name = call.tenant("predict"), call.trace, target.model
        fields = trace.fields
        fields["model"] = name
        body = read_predict_body(call.request.headers, call.request.body)
        fields["instances"] = count = len(body.instances)
        trace.mark("decode")
        served = self._server.find(Wanted(tenant, name, body.version, body.alias, call.request.request_id))
        fields["version"] = served.version
        trace.cold |= served.loaded
        trace.mark("load")
        model = served.model
        if count > model.encode.largest_batch:
            raise _too_large(count, model.encode.largest_batch)
        if body.choice:
            check_choice(body.choice, model.labels)
        tensors = model.decode(body.instances)
        self._access.check_quota(tenant, count)
        trace.mark("decode")
        try:
            outputs = predict(model, tensors, self._watchdog, call.deadline)
        finally:
            trace.mark("run")
        predictions = _predictions(model.encode, outputs, count, body.choice)
        answer = _predicted(predictions, name, served.version)
        self._access.count(tenant, count)
        trace.mark("encode")
        return answer


def refuse_with_problem(error: ModelmillError, request_id: str) -> Answer:
    """An error as problem details."""
    return Answer(error.status, problem_headers(error), orjson.dumps(problem(error, request_id)))


def _predictions(encode: Encoder, outputs: Outputs, count: int, choice: Choice | None) -> list[Any]:
    predictions = encode.predictions(outputs, count)
    if len(predictions) != count:
        raise _no_batches(len(predictions), count)
    if choice is None or encode.scores is None:
        return predictions
    return [choose(prediction, encode.scores, choice) for prediction in predictions]


def _predicted(predictions: list[Any], model: str, version: int) -> Answer:
    body = orjson.dumps({"predictions": predictions, "model": model, "version": version})
    if len(body) > MAX_ANSWER_BYTES // 2 and (size := answer_bytes(body)) > MAX_ANSWER_BYTES:
        raise _too_large(len(predictions), len(predictions) * MAX_ANSWER_BYTES // size)
    return Answer(200, {"content-type": "application/json"}, body)


def _no_batches(got: int, asked: int) -> InvalidRequest:
    message = f"the model gave {got} answers for {asked} instances: it takes no batches; send one instance at a time"
    return InvalidRequest(message, code="no_batches")


def _too_large(asked: int, fit: int) -> TooLarge:
    return TooLarge(f"the answer for {asked} instances would be too large; send at most {fit} at once")
