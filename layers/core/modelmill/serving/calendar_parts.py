"""Timestamps as the numbers that a model sees; training computes the same parts, vectorised."""

from datetime import UTC, datetime, timedelta

from modelmill.models.signature import CALENDAR_PARTS

MISSING = (float("nan"),) * len(CALENDAR_PARTS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_A_DAY = 86_400_000_000.0


def calendar_parts(text: str | None) -> tuple[float, ...]:
    """The CALENDAR_PARTS of an ISO 8601 timestamp; without an offset it is in UTC, a month is its first day, None is
    missing.

    Raises:
        ValueError: not ISO 8601, or outside of the years 1 to 9999 in UTC.
    """
    if text is None:
        return MISSING
    moment = _utc(text)
    days = float((moment - _EPOCH) // _MICROSECOND) / _MICROSECONDS_A_DAY
    return (
        days,
        float(moment.year),
        float(moment.month),
        float(moment.day),
        float(moment.weekday()),
        float(moment.hour),
    )


def _utc(text: str) -> datetime:
    month = len(text) == 7 and text[4] == "-"
    moment = datetime.fromisoformat(f"{text}-01" if month else text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error
