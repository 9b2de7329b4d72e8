"""Error answers become exceptions that say what happened."""

import inspect

import pytest

import modelmill_client
from modelmill_client import errors


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest),
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.ApiError),
        (409, errors.Conflict),
        (413, errors.TooLarge),
        (415, errors.InvalidRequest),
        (422, errors.InvalidRequest),
        (429, errors.QuotaExceeded),
        (500, errors.ApiError),
        (503, errors.Unavailable),
    ],
)
def test_the_class_follows_the_status(status: int, kind: type[errors.ApiError]) -> None:
    assert type(errors.api_error(status, {})) is kind


def test_a_problem_is_kept_in_full() -> None:
    problem = {
        "detail": "the request breaks 1 rule",
        "code": "invalid_request",
        "request_id": "r-1",
        "errors": [{"field": "target", "message": "there is no such column"}],
    }

    error = errors.api_error(422, problem)

    assert (error.status, error.code, error.request_id) == (422, "invalid_request", "r-1")
    assert error.errors == (errors.FieldError("target", "there is no such column"),)
    assert str(error) == (
        "the request breaks 1 rule; target: there is no such column (422 invalid_request, request r-1)"
    )


@pytest.mark.parametrize(("seconds", "told"), [(3, "3 s"), (90, "90 s"), (3600, "60 min")])
def test_the_time_to_wait_is_told(seconds: float, told: str) -> None:
    assert str(errors.api_error(429, {"detail": "no"}, retry_after=seconds)).endswith(f"; try again in {told}")


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "", None, [1], {"errors": "?"}])
def test_any_body_gives_a_message(body: object) -> None:
    assert "502" in str(errors.api_error(502, body))


def test_every_error_is_exported_and_has_one_root() -> None:
    defined = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]

    assert all(issubclass(kind, errors.ClientError) for kind in defined)
    assert {kind.__name__ for kind in defined} <= set(modelmill_client.__all__)


def test_everything_in_all_can_be_imported() -> None:
    assert all(getattr(modelmill_client, name) for name in modelmill_client.__all__)
    assert not hasattr(modelmill_client, "nothing")
