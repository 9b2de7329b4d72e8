"""The Open Inference Protocol under `/v2` (https://github.com/kserve/open-inference-protocol)."""

from typing import Any

import orjson

from modelmill.errors import InvalidRequest, MalformedRequest, ModelmillError
from modelmill.models.registry import LIVE, ModelVersion
from modelmill.models.signature import Tensor
from modelmill.serving.listing import Listing
from modelmill.serving.predict import predict
from modelmill.serving.serve import ModelServer, Served, Wanted
from modelmill.serving.watchdog import Watchdog
from modelmill.tenancy.access import Access
from modelmill.web.content_encoding import encoded
from modelmill.web.data_routes import Call, Route, Target
from modelmill.web.events import Answer
from modelmill.web.open_inference_answer import write_answer
from modelmill.web.open_inference_body import InferBodies

SERVER = {
    "name": "modelmill",
    "version": "0.1.0",
    "extensions": ["binary_tensor_data", "classification", "model_repository"],
}
PLATFORM = "onnx_onnxv1"

_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"


class OpenInference:
    """The calls of the protocol."""

    def __init__(self, access: Access, server: ModelServer, watchdog: Watchdog) -> None:
        self._access = access
        self._server = server
        self._watchdog = watchdog
        self._bodies = InferBodies()

    def routes(self) -> list[Route]:
        """The routes of this protocol; those of a model are there for its live version and for each version."""
        open_calls = [("/v2", _tell_server), ("/v2/health/live", _tell_health), ("/v2/health/ready", _tell_health)]
        model_calls = [("POST", "/infer", self.infer), ("GET", "", self.metadata), ("GET", "/ready", self.ready)]
        return [
            *(
                Route(method, path + call, answer, refuse_open_inference)
                for path in (_MODEL, _VERSION)
                for method, call, answer in model_calls
            ),
            *(Route("GET", path, answer, refuse_open_inference, open=True) for path, answer in open_calls),
            Route("GET", "/v2/models", self.models, refuse_open_inference),
            Route("POST", "/v2/repository/index", self.index, refuse_open_inference),
        ]

    def infer(self, call: Call, target: Target) -> Answer:
        """The outputs for the tensors in the body."""
        trace, request = call.trace, call.request
        tenant = call.tenant("predict")
        served = self._find(call, tenant, target)
        model = served.model
        trace.mark("load")
        asked = self._bodies.read(request, model.plan)
        trace.fields["instances"] = asked.batch
        self._access.check_quota(tenant, asked.batch)
        trace.mark("decode")
        names = [output.name for output in asked.outputs]
        try:
            arrays = predict(model, asked.tensors, self._watchdog, call.deadline, names)
        finally:
            trace.mark("run")
        answer = write_answer(asked, arrays, model.plan, target.model, served.version)
        answer = encoded(answer, request.headers.get("accept-encoding", ""))
        self._access.count(tenant, asked.batch)
        trace.mark("encode")
        return answer

    def metadata(self, call: Call, target: Target) -> Answer:
        """The ready versions of a model, and the tensors of one."""
        tenant = _reader(call)
        signature = self._find(call, tenant, target).model.signature
        versions = Listing(self._server.versions, tenant, call.deadline).versions(target.model)
        return _json(
            {
                "name": target.model,
                "versions": [str(version.version) for version in versions if version.status == "ready"],
                "platform": PLATFORM,
                "inputs": _described(signature.inputs),
                "outputs": _described(signature.outputs),
            }
        )

    def ready(self, call: Call, target: Target) -> Answer:
        """Ready is what is loaded and verified; what cannot be is told as an error, since clients go by the status."""
        self._find(call, _reader(call), target)
        return _json({"name": target.model, "ready": True})

    def models(self, call: Call, _target: Target) -> Answer:
        """The names of all models."""
        return _json({"models": Listing(self._server.versions, _reader(call), call.deadline).models()})

    def index(self, call: Call, _target: Target) -> Answer:
        """All versions of all models and whether they can serve."""
        listing = Listing(self._server.versions, _reader(call), call.deadline)
        ready_only = _ready_only(call.request.body)
        entries = [_entry(version) for name in listing.models() for version in listing.versions(name)]
        return _json([entry for entry in entries if entry["state"] == "READY" or not ready_only])

    def _find(self, call: Call, tenant: str, target: Target) -> Served:
        fields = call.trace.fields
        fields["model"] = target.model
        served = self._server.find(Wanted(tenant, target.model, target.version, LIVE, call.request.request_id))
        fields["version"] = served.version
        call.trace.cold |= served.loaded
        return served


def refuse_open_inference(error: ModelmillError, _request_id: str) -> Answer:
    """An error in the protocol's form; what breaks a rule is 400 there, not 422."""
    headers = {"content-type": "application/json"}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    status = 400 if isinstance(error, InvalidRequest) else error.status
    return Answer(status, headers, orjson.dumps({"error": error.detail}))


def _reader(call: Call) -> str:
    """The tenant of a key that may read or predict: who sends tensors asks first what a model takes."""
    may_predict = call.key is not None and "predict" in call.key.scopes
    return call.tenant("predict" if may_predict else "read")


def _tell_server(_call: Call, _target: Target) -> Answer:
    return _json(SERVER)


def _tell_health(_call: Call, _target: Target) -> Answer:
    return _json({"live": True, "ready": True})


def _json(document: Any) -> Answer:
    return Answer(200, {"content-type": "application/json"}, orjson.dumps(document))


def _described(tensors: list[Tensor]) -> list[dict[str, Any]]:
    return [{"name": each.name, "datatype": each.datatype, "shape": each.shape} for each in tensors]


def _ready_only(body: bytes) -> bool:
    if not body.strip():
        return False
    try:
        ready = orjson.loads(body).get("ready", False)
    except (AttributeError, orjson.JSONDecodeError) as error:
        raise MalformedRequest('the body must be empty or a JSON object such as {"ready": true}') from error
    if type(ready) is not bool:
        raise InvalidRequest("'ready' must be true or false")
    return ready


def _entry(version: ModelVersion) -> dict[str, str]:
    entry = {"name": version.model, "version": str(version.version), "state": "READY", "reason": ""}
    if version.status != "ready":
        told = f": {version.failure['message']}" if version.failure else ""
        entry |= {"state": "UNAVAILABLE", "reason": f"{version.status}{told}"}
    return entry
