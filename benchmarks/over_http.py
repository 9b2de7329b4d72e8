"""Requests a second: `python -m benchmarks.over_http`.

The server has one core, the client another. Every server answers each request once under a check before it is measured:
what it tells must be what `InferenceSession.run` gives. All servers of a model run side by side and take turns of one
second; each one's best turn counts. On one connection the next request leaves when the answer to the last one is there,
so the time in which the machine wakes either side counts too; on several the server is never idle. Peers come with
their own checks of requests and without keys and logs; `modelmill` has everything on.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks import load
from benchmarks.environments import NotInstalled
from benchmarks.servers import CLIENT_CORE, SERVERS, Server, cores, running
from benchmarks.tables import machine, number, table
from benchmarks.wire import Message, Wire, check


class Case(NamedTuple):
    """What is asked; `binary`: as bytes of tensors, where a server takes them."""

    model: str
    batch: int
    binary: bool = False
    connections: int = 1

    def title(self) -> str:
        several = f", {self.connections} connections" if self.connections > 1 else ""
        return f"{self.model}, batch {self.batch}, {'binary' if self.binary else 'JSON'}{several}"


class Turn(NamedTuple):
    """One server with one request; `form`: which JSON, which puts the figure into a line of the table."""

    title: str
    form: str
    case: Case
    port: int
    path: str
    message: Message


CASES = [
    Case("forest", 1),
    *([Case("forest", 1, connections=8)] if load.takes_several() else []),
    Case("cnn", 32),
    Case("cnn", 32, binary=True),
    Case("minilm", 1),
]

# By title of the server and form of JSON.
type Rates = dict[tuple[str, str], dict[Case, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each figure, in turns of one second")
    parser.add_argument("--servers", default=",".join(server.folder for server in SERVERS))
    options = parser.parse_args()
    if cores():
        os.sched_setaffinity(0, {int(CLIENT_CORE)})
    print(f"{machine()}; client: {load.client()}\n", flush=True)
    servers = [server for server in SERVERS if server.folder in options.servers.split(",") and _installed(server)]
    rates: Rates = defaultdict(dict)
    for model in dict.fromkeys(case.model for case in CASES):
        measure([server for server in servers if not server.restless], model, options.seconds, rates)
        for server in servers:
            if server.restless:
                measure([server], model, options.seconds, rates)
    print(f"\n{table(['requests/s', *(case.title() for case in CASES)], rows(rates))}", flush=True)


def measure(servers: list[Server], model: str, seconds: float, rates: Rates) -> None:
    """All cases of a model on these servers."""
    with ExitStack() as stack:
        turns = [turn for server in servers for turn in _started(server, model, stack)]
        for _ in range(max(1, round(seconds))):
            for turn in turns:
                rate = load.requests_per_second(turn.port, turn.path, turn.message, 1.0, turn.case.connections)
                found = rates[turn.title, turn.form]
                found[turn.case] = max(rate, found.get(turn.case, 0.0))
    print(f"{model} done", file=sys.stderr, flush=True)


def rows(rates: Rates) -> list[list[str]]:
    """Each figure with its part of what the floor, the first server, reaches with the same form."""
    first = next(iter(rates), ("", ""))[0]
    floors = {
        (form, case): rate for (title, form), found in rates.items() if title == first for case, rate in found.items()
    }
    in_binary = {case: rate for (_, case), rate in floors.items() if case.binary}
    return [
        [
            f"{title}, {form}",
            *(_cell(found.get(case), floors.get((form, case), in_binary.get(case))) for case in CASES),
        ]
        for (title, form), found in sorted(rates.items(), key=lambda item: item[0][1])
    ]


def _installed(server: Server) -> bool:
    try:
        server.python()
    except NotInstalled as error:
        print(f"{server.name} is left out, since it cannot be installed: {error}", flush=True)
        return False
    return True


def _started(server: Server, model: str, stack: ExitStack) -> list[Turn]:
    """What a server is asked, each answer checked; nothing where it fails, which is told."""
    try:
        port, _ = stack.enter_context(running(server, model))
        turns = list(_turns(server, model, port))
        for spoken, turn in turns:
            check(spoken, model, turn.case.batch, load.ask(port, turn.path, turn.message))
    except (load.Failed, ValueError, OSError) as error:
        print(f"{server.name}, {model}: left out: {error}", flush=True)
        return []
    return [turn for _, turn in turns]


def _turns(server: Server, model: str, port: int) -> Iterator[tuple[Wire, Turn]]:
    for case in CASES:
        if case.model != model:
            continue
        for spoken in _spoken(server, case):
            path, message = server.path(spoken, model), server.message(spoken, model, case.batch)
            form = server.wires[-1].name if case.binary else spoken.name
            yield spoken, Turn(server.title(), form, case, port, path, message)


def _spoken(server: Server, case: Case) -> tuple[Wire, ...]:
    if not case.binary:
        return server.wires
    return (server.binary,) if server.binary else ()


def _cell(rate: float | None, floor: float | None) -> str:
    if rate is None:
        return ""
    return f"{number(rate)} ({rate / floor:.2f})" if floor else number(rate)


if __name__ == "__main__":
    main()
