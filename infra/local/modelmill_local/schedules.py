"""Ticks the template's scheduled rules."""

import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from modelmill_local.functions import EventTooLargeError, StoppedError
from modelmill_local.intrinsics import ACCOUNT, REGION
from modelmill_local.template import Resource, Stack

log = logging.getLogger(__name__)

Send = Callable[[str, str], None]

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS: Mapping[str, int] = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True)
class Tick:
    """One target of one scheduled rule."""

    rule_arn: str
    seconds: int
    target_arn: str
    input: str | None


class Schedule:
    """Sends a tick's event at once and then at its rate, until stopped."""

    def __init__(self, tick: Tick, send: Send) -> None:
        self._tick = tick
        self._send = send
        self._stopped = threading.Event()

    def start(self) -> None:
        """Tick from now on, in the background."""
        threading.Thread(target=self._run, name=f"schedule {self._tick.rule_arn}", daemon=True).start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def _run(self) -> None:
        while True:
            try:
                self._send(self._tick.target_arn, self._tick.input or _scheduled_event(self._tick.rule_arn))
            except (OSError, BotoCoreError, ClientError, EventTooLargeError, StoppedError) as error:
                log.warning("%s: %s", self._tick.rule_arn, error)
            if self._stopped.wait(self._tick.seconds):
                return


def ticks_of(stack: Stack) -> list[Tick]:
    """The stack's enabled schedules. Raises: ValueError for one that is not a rate."""
    rules = stack.of_type("AWS::Events::Rule")
    return [tick for rule in rules if "ScheduleExpression" in rule.properties for tick in _ticks(rule)]


def _ticks(rule: Resource) -> list[Tick]:
    if rule.properties.get("State", "ENABLED") != "ENABLED":
        return []
    expression = rule.properties["ScheduleExpression"]
    found = _RATE.fullmatch(expression)
    if found is None:
        raise ValueError(f"{rule.logical_id}: the local cloud knows rate(…) schedules only, not {expression}")
    seconds = int(found[1]) * _SECONDS[found[2]]
    return [Tick(rule.arn, seconds, target["Arn"], target.get("Input")) for target in rule.properties["Targets"]]


def _scheduled_event(rule_arn: str) -> str:
    event: dict[str, Any] = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [rule_arn],
        "detail": {},
    }
    return json.dumps(event)
