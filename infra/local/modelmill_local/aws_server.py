"""The process that serves the local AWS. It ends when its standard input closes: with the one that started it."""

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3 import notifications
from werkzeug.serving import BaseWSGIServer, make_server

from modelmill_local.aws import LocalAws, Parts
from modelmill_local.faults import Faults
from modelmill_local.intrinsics import ACCESS_KEY, REGION, SECRET_KEY
from modelmill_local.journal import Journal
from modelmill_local.objects import ObjectFolder, keep_in
from modelmill_local.s3 import S3
from modelmill_local.sagemaker import SageMaker
from modelmill_local.training_job import Surroundings

log = logging.getLogger(__name__)


class _Handler(MotoRequestHandler):
    """Keeps connections open and quiet."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, *_: Any) -> None:
        """Every request is not worth a line."""


def make(state: Path, logs: Path, endpoint: str, jobs_at_once: int) -> tuple[LocalAws, Parts]:
    """The application, with its state below `state`."""
    shutil.rmtree(state / "training", ignore_errors=True)  # of jobs that a killed process left
    faults = Faults()
    files = ObjectFolder(state / "objects")
    keep_in(files)
    _let_s3_events_get_lost(faults)
    journal = Journal(state / "journal.sqlite", files)
    moto = DomainDispatcherApplication(create_backend_app)
    around = Surroundings(
        work=state / "training",
        logs=logs / "jobs",
        clients=cache(lambda service: _client(service, endpoint)),
        changed=lambda _: None,
        printed=lambda *_: None,
        slots=threading.Semaphore(jobs_at_once),
        interrupts=faults.interrupts,
    )
    around.logs.mkdir(parents=True, exist_ok=True)
    sagemaker = SageMaker(around, journal, faults)
    parts = Parts(moto, S3(moto, journal, files), sagemaker, journal, faults)
    return LocalAws(parts), parts


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )


def _let_s3_events_get_lost(faults: Faults) -> None:
    send = notifications.send_event

    def send_or_lose(*args: Any, **named: Any) -> None:
        if not faults.loses("s3"):
            send(*args, **named)

    notifications.send_event = send_or_lose


def _stop_with_parent(server: BaseWSGIServer) -> None:
    sys.stdin.buffer.read()
    server.shutdown()


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True, help="a listening socket")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--jobs-at-once", type=int, default=2)
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group; the parent decides
    app, parts = make(given.state, given.logs, given.endpoint, given.jobs_at_once)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler, fd=given.fd)
    threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    server.serve_forever()
    parts.sagemaker.close()
    parts.journal.close()
    logging.shutdown()
    os._exit(0)  # requests that wait for messages hold threads


if __name__ == "__main__":
    main()
