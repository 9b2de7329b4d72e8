"""One line per request: a JSON log record that CloudWatch also reads as metrics (embedded metric format).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import time
from typing import Any

import orjson

NAMESPACE = "modelmill"
PARTS = ("auth", "load", "decode", "run", "encode")

_METRICS = orjson.Fragment(
    orjson.dumps(
        [
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
    )
)
_PARTS_JSON = "{" + ",".join(f'"{part}":%.3f' for part in PARTS) + "}"
_SERVER_TIMING = ", ".join(f"{part};dur=%.3f" for part in PARTS)


class Trace:
    """Where the time of one request went, in milliseconds, and what else its log line says."""

    __slots__ = ("_last", "cold", "fields", "parts", "started")

    def __init__(self, cold: bool) -> None:
        self.cold = cold
        self.started = self._last = time.perf_counter()
        self.parts = dict.fromkeys(PARTS, 0.0)
        self.fields: dict[str, Any] = {}

    def mark(self, part: str) -> None:
        """What happened since the last mark was this part."""
        now = time.perf_counter()
        self.parts[part] += (now - self._last) * 1000
        self._last = now

    def server_timing(self) -> str:
        """The value of a Server-Timing header (https://www.w3.org/TR/server-timing/)."""
        return _SERVER_TIMING % tuple(self.parts.values())

    def line(self, function: str, route: str, request_id: str, status: int) -> bytes:
        """The log line: `Errors` are the client's (4xx), `Faults` ours (5xx)."""
        record = {
            "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": _METRICS},
            "level": "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR",
            "function": function,
            "route": route,
            "Latency": round((time.perf_counter() - self.started) * 1000, 3),
            "Errors": int(400 <= status < 500),
            "Faults": int(status >= 500),
            "request_id": request_id,
            "status": status,
            "cold": self.cold,
            "parts_ms": orjson.Fragment(_PARTS_JSON % tuple(self.parts.values())),
            **self.fields,
        }
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
