"""One line per request: a JSON log record that CloudWatch also reads as metrics (embedded metric format).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import time
from typing import Any

import orjson

NAMESPACE = "modelmill"
PARTS = ("auth", "load", "decode", "run", "encode")

_METRICS = [
    {
        "Namespace": NAMESPACE,
        "Dimensions": [["function", "route"]],
        "Metrics": [
            {"Name": "Latency", "Unit": "Milliseconds"},
            {"Name": "Errors", "Unit": "Count"},
            {"Name": "Faults", "Unit": "Count"},
        ],
    }
]
# Everything in a line that is not a client's text, ready to be filled in: much faster than to build and dump it.
_LINE = (
    f'{{"_aws":{{"CloudWatchMetrics":{orjson.dumps(_METRICS).decode()},"Timestamp":%d}},"level":"%s",'
    '"function":"%s","route":"%s","Latency":%.3f,"Errors":%d,"Faults":%d,"status":%d,"cold":%s,'
    '"server_timing":"%s",'
)
_SERVER_TIMING = ", ".join(f"{part};dur=%.3f" for part in PARTS)


class Trace:
    """Where the time of one request went, in milliseconds, and what else its log line says."""

    __slots__ = ("_last", "cold", "fields", "parts", "started", "timing")

    def __init__(self, cold: bool) -> None:
        self.cold = cold
        self.started = self._last = time.perf_counter()
        self.parts = dict.fromkeys(PARTS, 0.0)
        self.fields: dict[str, Any] = {}
        self.timing = ""

    def mark(self, part: str) -> None:
        """What happened since the last mark was this part."""
        now = time.perf_counter()
        self.parts[part] += (now - self._last) * 1000
        self._last = now

    def server_timing(self) -> str:
        """The value of a Server-Timing header (https://www.w3.org/TR/server-timing/), which the line repeats."""
        self.timing = _SERVER_TIMING % tuple(self.parts.values())
        return self.timing

    def line(self, function: str, route: str, request_id: str, status: int) -> bytes:
        """The log line: `Errors` are the client's (4xx), `Faults` ours (5xx)."""
        level = "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR"
        latency = (time.perf_counter() - self.started) * 1000
        head = (time.time() * 1000, level, function, route, latency, 400 <= status < 500, status >= 500, status)
        known = _LINE % (*head, "true" if self.cold else "false", self.timing)
        self.fields["request_id"] = request_id
        return known.encode() + orjson.dumps(self.fields, option=orjson.OPT_APPEND_NEWLINE)[1:]
