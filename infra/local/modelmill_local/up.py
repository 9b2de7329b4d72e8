"""`modelmill up`: the whole system on this machine, until Ctrl-C."""

import argparse
import ipaddress
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from modelmill_local.cloud import LocalCloud, Options
from modelmill_local.workspace import StartError

_LOOK_SECONDS = 0.5


def run(port: int, aws_port: int, state: Path, bind: str) -> None:
    """Serve until interrupted. Raises: SystemExit with 1 where it cannot start or loses a part."""
    began = time.monotonic()
    os.umask(0o077)  # the data are their owner's: every process of the tree inherits it
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    cloud = LocalCloud(Options(state, port, aws_port, bind))
    try:
        cloud.start()
        print(_welcome(cloud, time.monotonic() - began), flush=True)
        if not _is_loopback(bind):
            warning = f"with --bind {bind} other machines reach {cloud.aws.endpoint} too, which takes any credentials"
            print(f"modelmill: warning: {warning}: all data and models are open to them", file=sys.stderr, flush=True)
        cloud.prewarm()
        while not stopping.wait(_LOOK_SECONDS):
            if not cloud.alive:
                raise StartError(f"the local AWS has ended; see {cloud.workspace.logs / 'aws.log'}")
    except StartError as error:
        print(f"modelmill: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    finally:
        cloud.stop()
    print("modelmill has stopped", flush=True)


def _welcome(cloud: LocalCloud, seconds: float) -> str:
    lines = {
        "API": cloud.url,
        "docs": f"{cloud.url}/docs",
        "key": f"{cloud.secret}  (kept in {cloud.workspace.api_key})",
        "logs": str(cloud.workspace.logs),
        "AWS": cloud.aws.endpoint,
    }
    listed = "\n".join(f"  {name:<5} {value}" for name, value in lines.items())
    return f"modelmill is ready after {seconds:.1f} s; Ctrl-C stops it\n{listed}"


def _is_loopback(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


def main() -> None:
    """The command line, for use without the `modelmill` command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--aws-port", type=int, default=8081)
    parser.add_argument("--state", type=Path, default=Path(".modelmill"))
    reach = "address to listen on; any but a loopback address opens the AWS port too, which takes any credentials"
    parser.add_argument("--bind", default="127.0.0.1", help=reach)
    given = parser.parse_args()
    run(given.port, given.aws_port, given.state, given.bind)


if __name__ == "__main__":
    main()
