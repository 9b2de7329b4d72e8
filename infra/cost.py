"""What the stack costs a month while nobody uses it, computed from template.yaml. Prints a Markdown table.

Prices are AWS's list prices for us-east-1 in USD. Only SQS's free million requests a month, which every account has
for good, is taken off; other free allowances would lower the sum further.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.translated import Resources, resolved
from modelmill.aws.dynamodb import DUE_SHARDS

MINUTES = 30 * 24 * 60

SQS_REQUEST = 0.40 / 1e6
SQS_FREE_REQUESTS = 1_000_000
LAMBDA_REQUEST = 0.20 / 1e6
LAMBDA_GB_SECOND = 0.0000166667
DYNAMODB_READ = 0.125 / 1e6
LOG_GB = 0.50 + 0.03
ALARM_METRIC = 0.10
KMS_KEY = 1.00
DASHBOARD = 3.00

# Lambda polls an SQS queue for 20 s at a time: with five pollers, or two once the queue has been quiet for a while,
# but not where MaximumConcurrency is set.
POLLS_PER_MINUTE = 3
BUSY_POLLERS, QUIET_POLLERS = 5, 2

# A sweep that finds nothing: assumed, on the generous side.
SWEEP_SECONDS = 0.2
SWEEP_LOG_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill."""

    what: str
    arithmetic: str
    usd: float


def idle_month(parameters: Mapping[str, str] | None = None) -> list[Item]:
    """The bill of a month without a single call."""
    found = resolved(parameters)
    items = [_sqs(found), *_sweeps(found), *_alarms(found)]
    if keys := len(_of_type(found, "AWS::KMS::Key")):
        items.append(Item("KMS key", f"{keys} × 1.00", keys * KMS_KEY))
    if dashboards := len(_of_type(found, "AWS::CloudWatch::Dashboard")):
        items.append(Item("dashboard", f"{dashboards} × 3.00", dashboards * DASHBOARD))
    return items


def total(items: list[Item]) -> float:
    """The sum of a bill."""
    return sum(item.usd for item in items)


def table(items: list[Item]) -> str:
    """The bill in Markdown."""
    rows = [f"| {item.what} | {item.arithmetic} | {item.usd:.2f} |" for item in items]
    return "\n".join(["| what | arithmetic | USD |", "|---|---|---|", *rows, f"| **sum** | | **{total(items):.2f}** |"])


def _sqs(found: Resources) -> Item:
    scheduled = {target["Arn"] for rule in _scheduled(found) for target in rule["Targets"]}
    pollers = 0
    for source in _of_type(found, "AWS::Lambda::EventSourceMapping"):
        busy = "ScalingConfig" in source or source["EventSourceArn"] in scheduled
        pollers += BUSY_POLLERS if busy else QUIET_POLLERS
    # Each sweep is one message that is sent and deleted.
    requests = pollers * POLLS_PER_MINUTE * MINUTES + 2 * _runs(found)
    usd = max(0, requests - SQS_FREE_REQUESTS) * SQS_REQUEST
    arithmetic = (
        f"{pollers} pollers × 3/min × {MINUTES} min + {2 * _runs(found)} = {requests}, 1,000,000 free, × 0.40/M"
    )
    return Item("SQS requests", arithmetic, usd)


def _sweeps(found: Resources) -> Iterator[Item]:
    runs = _runs(found)
    memory = found["TrackFunction"]["Properties"]["MemorySize"] / 1024
    usd = runs * (LAMBDA_REQUEST + SWEEP_SECONDS * memory * LAMBDA_GB_SECOND)
    yield Item("sweeps, Lambda", f"{runs} × (0.20/M + {SWEEP_SECONDS} s × {memory} GB × 0.0000166667)", usd)
    # A query that finds nothing reads one page, eventually consistent: half a unit.
    reads = runs * DUE_SHARDS / 2
    yield Item("sweeps, DynamoDB", f"{runs} × {DUE_SHARDS} shards × ½ × 0.125/M", reads * DYNAMODB_READ)
    logs = runs * SWEEP_LOG_BYTES / 1e9
    yield Item("sweeps, logs", f"{runs} × {SWEEP_LOG_BYTES} B × 0.53/GB", logs * LOG_GB)


def _alarms(found: Resources) -> Iterator[Item]:
    for alarm in _of_type(found, "AWS::CloudWatch::Alarm"):
        metrics = sum("MetricStat" in metric for metric in alarm["Metrics"])
        yield Item("dead-letter alarm", f"{metrics} metrics × 0.10", metrics * ALARM_METRIC)


def _scheduled(found: Resources) -> list[dict[str, Any]]:
    return [rule for rule in _of_type(found, "AWS::Events::Rule") if "ScheduleExpression" in rule]


def _runs(found: Resources) -> int:
    """How often a month the sweep is woken."""
    (rule,) = _scheduled(found)
    if rule["ScheduleExpression"] != "rate(1 minute)":
        raise ValueError(f"no price for {rule['ScheduleExpression']}")
    return MINUTES


def _of_type(found: Resources, kind: str) -> list[dict[str, Any]]:
    return [body["Properties"] for body in found.values() if body["Type"] == kind]


if __name__ == "__main__":
    print(table(idle_month()))
