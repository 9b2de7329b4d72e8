"""Which calls are tried again, how often, and after how long."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from modelmill_client.errors import ApiError, ClientError, ConnectionFailed, api_error
from modelmill_client.retrying import RetryPolicy, delays, parse_retry_after


class Flaky:
    """Fails with each given error in turn, then succeeds."""

    def __init__(self, *errors: ClientError) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def answer(status: int, retry_after: float | None = None) -> ApiError:
    return api_error(status, {"detail": "no", "code": "x"}, retry_after=retry_after)


def run(attempt: Flaky, *, safe: bool) -> tuple[str, list[float]]:
    pauses: list[float] = []
    return RetryPolicy(sleep=pauses.append).run(attempt, safe=safe), pauses


def test_a_safe_call_outlives_broken_connections_and_bad_gateways() -> None:
    attempt = Flaky(ConnectionFailed("x", sent=True), answer(502), answer(504))

    result, pauses = run(attempt, safe=True)

    assert (result, attempt.calls) == ("done", 4)
    assert pauses == sorted(pauses)


def test_retry_after_sets_the_pause() -> None:
    assert run(Flaky(answer(503, retry_after=3)), safe=False) == ("done", [3])
    assert run(Flaky(answer(429, retry_after=0)), safe=False) == ("done", [0])


@pytest.mark.parametrize(
    "error", [ConnectionFailed("x", sent=True), answer(500), answer(502), answer(422), answer(404)]
)
def test_an_unsafe_call_is_not_repeated_when_it_may_have_worked(error: ClientError) -> None:
    attempt = Flaky(error)

    with pytest.raises(ClientError):
        run(attempt, safe=False)

    assert attempt.calls == 1


def test_an_unsafe_call_is_repeated_when_nothing_was_sent() -> None:
    assert run(Flaky(ConnectionFailed("refused", sent=False)), safe=False)[0] == "done"


def test_a_full_quota_is_reported_at_once() -> None:
    attempt = Flaky(api_error(429, {"detail": "2 of 2 jobs", "code": "quota_exceeded"}))

    with pytest.raises(ApiError):
        run(attempt, safe=True)

    assert attempt.calls == 1


def test_a_gateway_that_throttles_is_asked_again() -> None:
    assert run(Flaky(api_error(429, {"message": "Too Many Requests"})), safe=False)[0] == "done"


def test_a_wish_beyond_the_patience_is_reported_at_once() -> None:
    attempt = Flaky(answer(503, retry_after=3600))

    with pytest.raises(ApiError):
        run(attempt, safe=True)

    assert attempt.calls == 1


def test_the_last_failure_is_the_one_reported() -> None:
    attempt = Flaky(*(answer(503) for _ in range(9)))

    with pytest.raises(ApiError):
        run(attempt, safe=True)

    assert attempt.calls == 4


def test_delays_double_up_to_the_longest() -> None:
    for pause, top in zip(delays(6, 1.0, 8.0), (1, 2, 4, 8, 8, 8), strict=True):
        assert 0.75 * top <= pause <= top


def test_retry_after_is_read_as_number_and_as_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)

    assert parse_retry_after("7") == 7
    assert parse_retry_after("-7") == 0
    assert parse_retry_after(soon) == pytest.approx(30, abs=2)
    assert parse_retry_after("soon") is None
    assert parse_retry_after(None) is None
