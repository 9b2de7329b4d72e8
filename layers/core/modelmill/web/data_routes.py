"""Which call of the data plane a request is: a table of routes, and what was found before."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from modelmill.errors import ModelmillError, NotFound, Unauthenticated
from modelmill.ids import check_name
from modelmill.tenancy.keys import Key, Scope
from modelmill.web.events import Answer, Request
from modelmill.web.request_log import Trace

REMEMBERED_PATHS = 1024


class Call:
    """A request on its way: `deadline` is of `time.monotonic()`, `key` None where the route needs none."""

    __slots__ = ("deadline", "key", "request", "trace")

    def __init__(self, request: Request, deadline: float, trace: Trace, key: Key | None) -> None:
        self.request = request
        self.deadline = deadline
        self.trace = trace
        self.key = key

    def tenant(self, scope: Scope) -> str:
        """The caller's tenant, whose key must have the scope.

        Raises:
            Unauthenticated, Forbidden.
        """
        if self.key is None:
            raise Unauthenticated("this call needs an API key")
        self.trace.fields["tenant"] = self.key.tenant
        self.key.demand(scope)
        return self.key.tenant


class Target(NamedTuple):
    """What a path names."""

    model: str = ""
    version: int | None = None


class Refuse(Protocol):
    """How a protocol tells an error."""

    def __call__(self, error: ModelmillError, request_id: str, /) -> Answer:
        """The answer for this error."""


class Route(NamedTuple):
    """`path` may have the parts `{model}` and `{version}`; `open`: it needs no key."""

    method: str
    path: str
    answer: Callable[[Call, Target], Answer]
    refuse: Refuse
    open: bool = False

    @property
    def label(self) -> str:
        """Names the route in logs and metrics."""
        return f"{self.method} {self.path}"


class Found(NamedTuple):
    """A route and what its path names."""

    route: Route
    target: Target
    label: str


class Routes:
    """Finds the route of a request."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = [(route, route.path.split("/")) for route in routes]
        self._found: dict[tuple[str, str], Found] = {}

    def find(self, method: str, path: str) -> Found:
        """The route and the model and version in its path.

        Raises:
            NotFound: there is none.
            InvalidName: it is there, but what stands for a model cannot be the name of one.
        """
        found = self._found.get((method, path))
        if found is None:
            found = self._look(method, path)
            if len(self._found) >= REMEMBERED_PATHS:
                self._found.clear()
            self._found[method, path] = found
        return found

    def _look(self, method: str, path: str) -> Found:
        parts = path.split("/")
        for route, pattern in self._routes:
            if route.method == method and len(pattern) == len(parts) and _fits(pattern, parts):
                named = dict(zip(pattern, parts, strict=True))
                return Found(route, _target(named), route.label)
        raise NotFound(f"no call {method[:20]} {path[:200]}")


def _fits(pattern: list[str], parts: list[str]) -> bool:
    return all(expected in ("{model}", "{version}", part) for expected, part in zip(pattern, parts, strict=True))


def _target(named: dict[str, str]) -> Target:
    model = named.get("{model}")
    version = named.get("{version}")
    if version is not None and not (version.isascii() and version.isdecimal() and 0 < len(version) < 9):
        raise NotFound(f"no version {version[:80]!r}; versions are numbers, counted from 1")
    return Target(check_name(model, "model") if model is not None else "", int(version) if version else None)
