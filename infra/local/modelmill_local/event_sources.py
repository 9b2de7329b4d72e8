"""Polls queues for functions as Lambda does: batches, partial failures, visibility left to the queue."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from modelmill_local.functions import EventTooLargeError, StoppedError
from modelmill_local.gateway import Target
from modelmill_local.instance import Outcome
from modelmill_local.intrinsics import REGION
from modelmill_local.template import Stack

log = logging.getLogger(__name__)

_WAIT_SECONDS = 10
_POLLERS = 2


@dataclass(frozen=True)
class EventSource:
    """One event source mapping of the template."""

    queue_url: str
    queue_arn: str
    target: Target
    batch_size: int = 10
    partial: bool = False
    pollers: int = _POLLERS


class Poller:
    """Feeds one queue to one function until it is stopped."""

    def __init__(self, source: EventSource, sqs: Any) -> None:
        self._source = source
        self._sqs = sqs
        self._stopped = threading.Event()

    def start(self) -> None:
        """Poll from now on, in the background."""
        for _ in range(self._source.pollers):
            threading.Thread(target=self._run, name=f"poll {self._source.queue_arn}", daemon=True).start()

    def stop(self) -> None:
        """Take no more messages; a poll under way may last some seconds longer."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.poll()
            except (BotoCoreError, ClientError, StoppedError) as error:
                if not self._stopped.wait(1.0):
                    log.warning("%s: %s", self._source.queue_arn, error)

    def poll(self, wait_seconds: int = _WAIT_SECONDS) -> int:
        """Take one batch through the function; the number of messages taken."""
        answer = self._sqs.receive_message(
            QueueUrl=self._source.queue_url,
            MaxNumberOfMessages=min(self._source.batch_size, 10),
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if messages and not self._stopped.is_set():
            self._work_on(messages)
        return len(messages)

    def _work_on(self, messages: list[dict[str, Any]]) -> None:
        records = [self._record(message) for message in messages]
        try:
            outcome = self._source.target.invoke(json.dumps({"Records": records}).encode())
        except EventTooLargeError as error:
            log.error("%s: %s", self._source.queue_arn, error)
            return
        failed = failed_items(outcome, {message["MessageId"] for message in messages}, self._source.partial)
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(done)]
            self._sqs.delete_message_batch(QueueUrl=self._source.queue_url, Entries=entries)

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": _lower_first(message.get("MessageAttributes", {})),
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._source.queue_arn,
            "awsRegion": REGION,
        }


def failed_items(outcome: Outcome, sent: set[str], partial: bool) -> set[str]:
    """The ids of the messages to keep: Lambda keeps the whole batch when it cannot read the answer."""
    if outcome.failed:
        return sent
    if not partial:
        return set()
    try:
        answer = json.loads(outcome.payload or b"null")
        failed = {item["itemIdentifier"] for item in (answer or {}).get("batchItemFailures") or []}
    except (ValueError, TypeError, KeyError, AttributeError):
        return sent
    return failed if failed <= sent else sent


def sources_of(stack: Stack, functions: Mapping[str, Target], queue_url: Callable[[str], str]) -> list[EventSource]:
    """The stack's event source mappings; `queue_url` turns a queue's name into its address."""
    sources = []
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        given = mapping.properties
        queue = stack.by_arn(given["EventSourceArn"])
        function = next(f for f in stack.of_type("AWS::Lambda::Function") if given["FunctionName"].startswith(f.name))
        if queue is None or queue.type != "AWS::SQS::Queue":
            raise ValueError(f"{mapping.logical_id} does not read from a queue of this template")
        batch_size = int(given.get("BatchSize", 10))
        sources.append(
            EventSource(
                queue_url=queue_url(queue.name),
                queue_arn=queue.arn,
                target=functions[function.logical_id],
                batch_size=batch_size,
                partial="ReportBatchItemFailures" in given.get("FunctionResponseTypes", []),
                pollers=1 if batch_size > 1 else _POLLERS,
            )
        )
    return sources


def _lower_first(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {key[0].lower() + key[1:]: value for key, value in body.items()} for name, body in attributes.items()}
