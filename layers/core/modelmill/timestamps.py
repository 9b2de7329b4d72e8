"""Times: seconds since the epoch inside, ISO 8601 in UTC on the wire and in rows."""

from datetime import UTC, datetime


def iso(epoch: float) -> str:
    """For example `2026-11-23T01:02:03Z`."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
