"""The local cloud: every part of it, started in order and stopped in the opposite one."""

import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from modelmill_local import bootstrap, event_sources, functions, gateway, resources, schedules, template
from modelmill_local.aws_process import CREDENTIALS, AwsProcess, listen, log_tail
from modelmill_local.intrinsics import ACCOUNT, TemplateError
from modelmill_local.workspace import StartError, Workspace

log = logging.getLogger(__name__)

STACK = "modelmill"
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Options:
    """Where the cloud listens and keeps its state; port 0 is any free one."""

    state: Path
    port: int = 0
    aws_port: int = 0
    bind: str = "127.0.0.1"
    root: Path = ROOT


class LocalCloud:
    """A running copy of the stack that a template describes."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._host = "127.0.0.1" if options.bind in ("", "0.0.0.0") else options.bind  # noqa: S104 - compared
        self.workspace = Workspace(options.state)
        self.secret = ""
        self.url = ""
        self._aws: AwsProcess | None = None
        self._gateway: gateway.Gateway | None = None
        self._functions: dict[str, functions.Function] = {}
        self._feeds: list[event_sources.Poller | schedules.Schedule] = []

    @property
    def aws(self) -> AwsProcess:
        """The local AWS."""
        if self._aws is None:
            raise StartError("the local AWS has not been started")
        return self._aws

    @property
    def alive(self) -> bool:
        """Whether every part that cannot be restarted still works."""
        return self.aws.alive

    def start(self) -> None:
        """Bring everything up. Raises: StartError; call `stop` in either case."""
        path = self._options.root / "template.yaml"
        if not path.is_file():
            raise StartError(f"there is no {path}: the local cloud runs from a checkout of modelmill")
        self.workspace.open()
        listener = listen(self._options.bind, self._options.port, "API", "--port")
        self._aws = AwsProcess(
            listen(self._options.bind, self._options.aws_port, "AWS services", "--aws-port"), self._host, self.workspace
        )
        self.url = f"http://{self._host}:{listener.getsockname()[1]}"
        try:
            stack = self._make_stack(path)
            self._serve(stack, listener)
        except (TemplateError, ValueError, ClientError) as error:
            raise StartError(f"{path}: {error}") from error
        except (ConnectionError, BotoCoreError) as error:
            end = log_tail(self.workspace.logs / "aws.log")
            raise StartError(f"the local AWS has ended ({end}); see {self.workspace.logs / 'aws.log'}") from error
        self.workspace.publish(self.url, self.secret)

    def stop(self) -> None:
        """Bring everything down; what was acknowledged is on disk."""
        for feed in self._feeds:
            feed.stop()
        if self._gateway is not None:
            self._gateway.close()
        for function in self._functions.values():
            function.close()
        if self._aws is not None:
            self._aws.stop()
            self.workspace.close()

    def prewarm(self) -> None:
        """Import the functions in the background, those that people wait for first."""
        order = sorted(self._functions, key=lambda name: name not in ("ApiFunction", "InferFunction"))

        def run() -> None:
            for name in order:
                try:
                    self._functions[name].prewarm()
                except (OSError, functions.StoppedError) as error:
                    log.debug("%s: %s", name, error)  # stopped meanwhile

        threading.Thread(target=run, name="prewarm", daemon=True).start()

    def _make_stack(self, path: Path) -> template.Stack:
        code = self.workspace.state / "training_code"
        sha256 = bootstrap.build_training_code(self._options.root, code)
        parameters = {"TrainingCodeHash": sha256} if sha256 else {}
        stack = template.load(path, parameters, STACK, self.aws.endpoint)
        resources.create(stack, self.aws.client)
        self.aws.control("POST", "restore")
        for bucket in stack.of_type("AWS::S3::Bucket"):
            bootstrap.expire_objects(bucket, self.aws.client("s3"))
        if sha256:
            store = stack.resources["StoreBucket"].name
            bootstrap.publish_training_code(code, sha256, store, self.aws.client("s3"))
        self.secret = self.workspace.secret()
        if "Table" in stack.resources:
            table = stack.resources["Table"].name
            self.secret = bootstrap.ensure_key(table, self.workspace, self.aws.client("dynamodb"))
        return stack

    def _serve(self, stack: template.Stack, listener: socket.socket) -> None:
        self._functions = functions.from_stack(stack, self._options.root, self.workspace.logs, self._environment())
        self._gateway = gateway.Gateway(listener, gateway.routes_of(stack, self._functions), gateway.cors_of(stack))
        sqs = self.aws.client("sqs")
        for source in event_sources.sources_of(stack, self._functions, self._queue_url):
            self._feeds.append(event_sources.Poller(source, sqs))
        for tick in schedules.ticks_of(stack):
            self._feeds.append(schedules.Schedule(tick, self._sender(stack)))
        self._gateway.start()
        for feed in self._feeds:
            feed.start()

    def _sender(self, stack: template.Stack) -> schedules.Send:
        def send(arn: str, body: str) -> None:
            target = stack.by_arn(arn)
            if target is not None and target.logical_id in self._functions:
                self._functions[target.logical_id].invoke(body.encode())
            elif target is not None:
                self.aws.client("sqs").send_message(QueueUrl=self._queue_url(target.name), MessageBody=body)

        return send

    def _queue_url(self, name: str) -> str:
        return f"{self.aws.endpoint}/{ACCOUNT}/{name}"

    def _environment(self) -> Mapping[str, str]:
        endpoint = self.aws.endpoint
        return CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_SAGEMAKER": endpoint}
