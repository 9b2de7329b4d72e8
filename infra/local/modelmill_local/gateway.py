"""API Gateway's place: HTTP in, the template's routes, payload 2.0 events out to the functions."""

import logging
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote

from modelmill_local.functions import EventTooLargeError, StoppedError
from modelmill_local.http_events import BadAnswerError, Response, from_answer, message, to_event
from modelmill_local.instance import Outcome
from modelmill_local.template import Stack
from modelmill_local.wire import Connection, Headers, Limits, Request, WireError

log = logging.getLogger(__name__)

_LIMITS = Limits(head=10_240, body=10 * 1024 * 1024)
_IDLE_SECONDS = 350.0
_INTEGRATION = re.compile(r"/functions/(?P<arn>arn:[^/]+)/invocations")
_ANY = "x-amazon-apigateway-any-method"


class Target(Protocol):
    """What a route leads to."""

    def invoke(self, event: bytes) -> Outcome:
        """Run a function on one event."""


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API; more fixed parts come before fewer, `$default` last."""

    key: str
    method: str
    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    target: Target

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path's parameters where this route serves the request."""
        if self.method not in ("ANY", method):
            return None
        found = self.pattern.fullmatch(path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


@dataclass(frozen=True)
class Cors:
    """The API's CORS configuration; without it a preflight is a request like any other."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None

    def allow(self, origin: str | None) -> Headers:
        """The headers that every answer to an allowed origin carries."""
        if origin is None or not ({"*", origin} & set(self.origins)):
            return []
        allowed = [("access-control-allow-origin", "*" if "*" in self.origins else origin)]
        return [*allowed, ("access-control-expose-headers", ",".join(self.exposed))] if self.exposed else allowed

    def preflight(self, origin: str | None) -> Response:
        """The answer to a browser that asks before it sends."""
        headers = self.allow(origin)
        if headers:
            headers.append(("access-control-allow-methods", ",".join(self.methods)))
            headers.append(("access-control-allow-headers", ",".join(self.headers)))
            if self.max_age is not None:
                headers.append(("access-control-max-age", str(self.max_age)))
        return Response(204, headers)


class Gateway:
    """Serves the routes on a listening socket, one thread a connection."""

    def __init__(self, listener: socket.socket, routes: list[Route], cors: Cors) -> None:
        self._listener = listener
        self._routes = sorted(routes, key=lambda route: route.rank)
        self._cors = cors
        self._open: set[Connection] = set()

    def start(self) -> None:
        """Accept connections from now on, in the background."""
        threading.Thread(target=self._accept, name="gateway", daemon=True).start()

    def close(self) -> None:
        """Refuse new connections and end the open ones."""
        self._listener.close()
        for connection in list(self._open):
            connection.interrupt()

    def answer(self, request: Request, source_ip: str) -> Response:
        """The response to one request."""
        origin = request.header("origin")
        asks_first = request.method == "OPTIONS" and request.header("access-control-request-method")
        if self._cors.origins and origin and asks_first:
            return self._cors.preflight(origin)
        response = self._route(request, source_ip)
        if not (allowed := self._cors.allow(origin)):
            return response
        kept = [(name, value) for name, value in response.headers if not name.startswith("access-control-")]
        return Response(response.status, kept + allowed, response.body)

    def _route(self, request: Request, source_ip: str) -> Response:
        path = request.target.partition("?")[0]
        for route in self._routes:
            parameters = route.match(request.method, path)
            if parameters is not None:
                return _invoke(route, to_event(request, route.key, parameters, source_ip))
        return message(404, "Not Found")

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(sock, address[0]), daemon=True).start()

    def _serve(self, sock: socket.socket, source_ip: str) -> None:
        connection = Connection(sock, _LIMITS)
        connection.settimeout(_IDLE_SECONDS)
        self._open.add(connection)
        try:
            while self._exchange(connection, source_ip):
                pass
        except OSError as error:
            log.debug("%s went away: %s", source_ip, error)
        finally:
            self._open.discard(connection)
            connection.close()

    def _exchange(self, connection: Connection, source_ip: str) -> bool:
        try:
            request = connection.read()
        except WireError as error:
            refusal = message(error.status, str(error))
            connection.write(refusal.status, [*refusal.headers, ("connection", "close")], refusal.body)
            return False
        if request is None:
            return False
        response = self.answer(request, source_ip)
        headers = response.headers if request.keeps_alive else [*response.headers, ("connection", "close")]
        connection.write(response.status, headers, response.body, head_only=request.method == "HEAD")
        return request.keeps_alive


def _invoke(route: Route, event: bytes) -> Response:
    try:
        outcome = route.target.invoke(event)
        return message(500, "Internal Server Error") if outcome.failed else from_answer(outcome.payload)
    except EventTooLargeError:
        return message(413, "Request Entity Too Large")
    except StoppedError:
        return message(503, "Service Unavailable")
    except BadAnswerError as error:
        log.error("%s: %s", route.key, error)
        return message(500, "Internal Server Error")


def routes_of(stack: Stack, functions: Mapping[str, Target]) -> list[Route]:
    """The routes of the stack's HTTP APIs."""
    apis = stack.of_type("AWS::ApiGatewayV2::Api")
    return [route for api in apis for route in _api_routes(api.properties, stack, functions)]


def cors_of(stack: Stack) -> Cors:
    """The CORS configuration of the stack's HTTP API; an empty origin allows none."""
    for api in stack.of_type("AWS::ApiGatewayV2::Api"):
        given = api.properties.get("Body", {}).get("x-amazon-apigateway-cors") or {}
        names = ("allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders")
        origins, methods, headers, exposed = (tuple(filter(None, given.get(name) or ())) for name in names)
        max_age = given.get("maxAge")
        return Cors(origins, methods, headers, exposed, None if max_age is None else int(max_age))
    return Cors()


def _api_routes(api: dict[str, Any], stack: Stack, functions: Mapping[str, Target]) -> Iterator[Route]:
    for path, methods in api.get("Body", {}).get("paths", {}).items():
        for method, operation in methods.items():
            found = _INTEGRATION.search(operation["x-amazon-apigateway-integration"]["uri"])
            function = stack.by_arn(found["arn"]) if found else None
            if function is not None:
                yield make_route("ANY" if method == _ANY else method.upper(), path, functions[function.logical_id])


def make_route(method: str, path: str, target: Target) -> Route:
    """A route from its template form: `/a/{name}`, `/a/{rest+}` or `$default`."""
    if path == "$default":
        return Route("$default", "ANY", re.compile(".*", re.DOTALL), (9,), target)
    parts = re.split(r"(\{[^}]+\})", path)
    greedy, variables = path.count("+}"), path.count("{")
    pattern = "".join(_part(part) for part in parts)
    rank = (greedy, variables, method == "ANY", -len(path))
    return Route(f"{method} {path}", method, re.compile(pattern), rank, target)


def _part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    name = part[1:-1]
    return f"(?P<{name[:-1]}>.+)" if name.endswith("+") else f"(?P<{name}>[^/]+)"
