"""The data plane from the gateway's event to the function's result."""

import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from modelmill.models.registry import Alias
from modelmill.web.predict_body import MAX_INSTANCES
from tests.bundles import MIXED, write_bundle
from tests.inference_setup import KEY, Plane, predict_event
from tests.serving_fakes import FakeStore

ROW = {"age": 3, "sex": "a", "seen": "2026-01-02T03:04:05Z", "smoker": True, "visits": None}
BODY = {"instances": [ROW]}
UNSURE = {"instances": [dict.fromkeys(ROW)]}


@pytest.fixture
def plane(tmp_path: Path) -> Plane:
    """`m` is a regression, `c` a classification."""
    plane = Plane()
    write_bundle(tmp_path / "m", MIXED)
    write_bundle(tmp_path / "c", MIXED, ["nein", 'j"a', "vielleicht"])
    plane.store.put("acme", "m", 1, tmp_path / "m")
    plane.store.put("acme", "c", 1, tmp_path / "c")
    return plane


def test_a_regression_gives_values(plane: Plane):
    status, answer = plane.post({"instances": [ROW, ROW | {"age": 90}]})

    assert status == 200
    assert answer["model"] == "m"
    assert answer["version"] == 1
    first, second = (prediction["value"] for prediction in answer["predictions"])
    assert isinstance(first, float)
    assert first != second


def test_a_classification_gives_labels_and_probabilities(plane: Plane):
    _, answer = plane.post(BODY, model="c")

    (prediction,) = answer["predictions"]
    assert list(prediction["probabilities"]) == ["nein", 'j"a', "vielleicht"]
    assert prediction["label"] == max(prediction["probabilities"], key=prediction["probabilities"].get)
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def probabilities(plane: Plane) -> dict[str, float]:
    """Of UNSURE by the classification, most probable first."""
    given = plane.post(UNSURE, model="c")[1]["predictions"][0]["probabilities"]
    return dict(sorted(given.items(), key=lambda pair: -pair[1]))


def test_top_k_tells_the_most_probable_classes_in_order(plane: Plane):
    ordered = list(probabilities(plane).items())

    for k in (1, 2, 3, 50):
        (prediction,) = plane.post(UNSURE | {"top_k": k}, model="c")[1]["predictions"]
        assert list(prediction["probabilities"].items()) == ordered[:k]
        assert prediction["label"] == ordered[0][0]


def test_a_class_that_reaches_its_threshold_is_chosen(plane: Plane):
    first, second, third = probabilities(plane).items()

    def label(**thresholds: float) -> str | None:
        (prediction,) = plane.post(UNSURE | {"thresholds": thresholds}, model="c")[1]["predictions"]
        return prediction["label"]

    assert label(**{third[0]: third[1] / 2}) == third[0]
    assert label(**{first[0]: 1.0}) == second[0]
    assert label(**{second[0]: second[1] / 2, third[0]: third[1] / 4}) == third[0]
    assert label(**{first[0]: 1.0, second[0]: 1.0, third[0]: 1.0}) is None
    assert label() == first[0]


@pytest.mark.parametrize("choice", [{"top_k": 1}, {"thresholds": {"nein": 0.5}}])
def test_classes_are_chosen_only_where_there_are_classes(plane: Plane, choice: dict[str, Any]):
    status, problem = plane.post(BODY | choice)

    assert (status, problem["code"]) == (422, "invalid_request")


def test_a_threshold_of_an_unknown_class_names_the_known_ones(plane: Plane):
    _, problem = plane.post(BODY | {"thresholds": {"ja": 0.5}}, model="c")

    assert problem["errors"][0]["field"] == "thresholds.ja"
    assert "vielleicht" in problem["detail"]


def test_a_quota_that_is_used_up_is_a_429(tmp_path: Path):
    plane = Plane(monthly_quota=3)
    write_bundle(tmp_path, MIXED)
    plane.store.put("acme", "m", 1, tmp_path)

    assert plane.post({"instances": [ROW] * 3})[0] == 200
    result = plane.send(predict_event(BODY))

    assert result["statusCode"] == 429
    assert 0 < int(result["headers"]["retry-after"]) <= 3600
    assert plane.log()["code"] == "quota_exceeded"


def test_the_answer_says_whether_it_was_cold_and_where_the_time_went(plane: Plane):
    results = [plane.send(predict_event(BODY, model)) for model in ("m", "m", "c", "c")]

    assert [result["headers"]["x-modelmill-cold"] for result in results] == ["true", "false", "true", "false"]
    parts = [part.partition(";dur=") for part in results[0]["headers"]["server-timing"].split(", ")]
    assert [name for name, _, _ in parts] == ["auth", "load", "decode", "run", "encode"]
    assert all(float(milliseconds) >= 0 for _, _, milliseconds in parts)


def test_each_request_writes_one_line_that_is_log_and_metric(plane: Plane):
    plane.post(BODY)
    good = plane.log()
    plane.post({"instances": [{}]})
    bad = plane.log()

    assert len(plane.lines) == 2
    (metrics,) = good["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["function", "route"]]
    assert all(metric["Name"] in good for metric in metrics["Metrics"])
    assert (good["tenant"], good["model"], good["version"], good["instances"], good["status"]) == (
        "acme",
        "m",
        1,
        1,
        200,
    )
    assert (bad["status"], bad["Errors"], bad["Faults"], bad["code"]) == (422, 1, 0, "signature_mismatch")
    assert KEY not in b"".join(plane.lines).decode()


@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}, {"X-Api-Key": KEY}])
def test_the_key_comes_in_either_header(plane: Plane, headers: dict[str, str]):
    assert plane.post(BODY, key=None, headers=headers)[0] == 200


@pytest.mark.parametrize("key", [None, "", "mm_wrong", "mm_ü", "\ud800"])
def test_without_a_good_key_nothing_is_told(plane: Plane, key: str | None):
    status, problem = plane.post(BODY, key=key)

    assert (status, problem["code"]) == (401, "unauthenticated")
    assert plane.store.reads == []


def test_a_key_needs_the_scope(plane: Plane):
    plane.keys.give("mm_reader", "acme", "read", "train")
    plane.keys.give("mm_admin", "acme", "admin")

    assert plane.post(BODY, key="mm_reader")[0] == 403
    assert plane.post(BODY, key="mm_admin")[0] == 200


def test_a_revoked_key_is_refused_within_five_seconds(plane: Plane):
    plane.post(BODY)
    plane.keys.revoke(KEY)
    plane.clock.now += 5

    assert plane.post(BODY)[0] == 401


def test_a_body_in_base64_is_read(plane: Plane):
    event = predict_event(base64.b64encode(orjson.dumps(BODY)).decode(), isBase64Encoded=True)

    assert plane.send(event)["statusCode"] == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "malformed_request"),
        ("{", 400, "malformed_request"),
        ("\x00", 400, "malformed_request"),
        ("[" * 100_000, 400, "malformed_request"),
        ('{"instances":' + "[" * 100_000 + "]" * 100_000 + "}", 400, "malformed_request"),
        ('{"instances": [[NaN]]}', 422, "invalid_request"),
        ('{"instances": [[-Infinity]]}', 422, "invalid_request"),
        ('{"instances": [[1e999]]}', 422, "invalid_request"),
        ('{"instances": [[' + "9" * 4000 + "]]}", 422, "invalid_request"),
        ('{"instances": [["\\ud800"]]}', 422, "invalid_request"),
        ('{"instances": [["' + "\ud800" + '"]]}', 400, "malformed_request"),
        ('{"instances": [[' + "9" * 5000 + "]]}", 400, "malformed_request"),
        ("[]", 422, "invalid_request"),
        ("null", 422, "invalid_request"),
        ("{}", 422, "invalid_request"),
        ('{"instances": []}', 422, "invalid_request"),
        ('{"instances": {}}', 422, "invalid_request"),
        ('{"instances": [[]]}', 422, "signature_mismatch"),
        ('{"instances": [{}], "parameters": {}}', 422, "invalid_request"),
        ('{"instances": [{}], "version": "1"}', 422, "invalid_request"),
        ('{"instances": [{}], "version": true}', 422, "invalid_request"),
        ('{"instances": [{}], "version": 0}', 422, "invalid_request"),
        ('{"instances": [{}], "version": 1e2}', 422, "invalid_request"),
        ('{"instances": [{}], "version": 1, "alias": "live"}', 422, "invalid_request"),
        ('{"instances": [{}], "alias": 1}', 422, "invalid_request"),
        ('{"instances": [{}], "alias": "../live"}', 422, "invalid_name"),
        ('{"instances": [{}], "top_k": 0}', 422, "invalid_request"),
        ('{"instances": [{}], "top_k": true}', 422, "invalid_request"),
        ('{"instances": [{}], "top_k": 1.5}', 422, "invalid_request"),
        ('{"instances": [{}], "thresholds": [0.5]}', 422, "invalid_request"),
        ('{"instances": [{}], "thresholds": {"a": 0}}', 422, "invalid_request"),
        ('{"instances": [{}], "thresholds": {"a": 1.1}}', 422, "invalid_request"),
        ('{"instances": [{}], "thresholds": {"a": true}}', 422, "invalid_request"),
    ],
)
def test_hostile_bodies(plane: Plane, body: str, status: int, code: str):
    answered, problem = plane.post(body)

    assert (answered, problem["code"]) == (status, code)
    assert problem["request_id"] == "JKJaXmPLvHcESHA="
    assert plane.log()["Faults"] == 0


def test_a_repeated_name_counts_with_its_last_value(plane: Plane):
    text = json.dumps(ROW)

    twice = plane.post('{"instances": [' + text[:-1] + ', "age": 50}]}')

    assert twice == plane.post({"instances": [ROW | {"age": 50}]})


def test_sizes_are_capped(plane: Plane):
    assert plane.post({"instances": [ROW] * (MAX_INSTANCES + 1)})[0] == 422
    assert plane.post('{"instances": "' + "x" * 6_000_000 + '"}')[0] == 413
    assert plane.post({"instances": [[None] * 5] * MAX_INSTANCES})[0] == 200


def test_an_answer_that_would_not_fit_names_the_largest_batch_that_does(tmp_path: Path):
    plane = Plane()
    labels = [f"class {place} with a name" for place in range(100)]
    write_bundle(tmp_path, [("x", "number")], labels)
    plane.store.put("acme", "wide", 1, tmp_path)

    status, problem = plane.post({"instances": [[1.0]] * MAX_INSTANCES}, model="wide")
    largest = int(problem["detail"].split("at most ")[1].split()[0])
    result = plane.send(predict_event({"instances": [[1.0]] * largest}, "wide"))

    assert status == 413
    assert result["statusCode"] == 200
    assert 3_000_000 < len(json.dumps(result)) <= 6_291_556


@pytest.mark.parametrize("content_type", ["text/xml", "application/x-www-form-urlencoded", "application/jsonx"])
def test_other_content_types_are_refused(plane: Plane, content_type: str):
    status, problem = plane.post(BODY, headers={"content-type": content_type})

    assert (status, problem["code"]) == (415, "unsupported_media_type")


def test_json_with_a_charset_is_read(plane: Plane):
    assert plane.post(BODY, headers={"content-type": "application/json; charset=utf-8"})[0] == 200


@pytest.mark.parametrize("name", ["..", "a%2fb", "A", "a" * 64, "a b", "\u202e"])
def test_hostile_names(plane: Plane, name: str):
    assert plane.post(BODY, model=name)[1]["code"] == "invalid_name"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"path": "/v1/models/m/other"}, 404),
        ({"path": "/v1/models/m/predict/"}, 404),
        ({"path": "/"}, 404),
        ({"method": "GET"}, 404),
    ],
)
def test_other_routes(plane: Plane, event: dict[str, Any], status: int):
    assert plane.post(BODY, **event)[0] == status


def test_retry_after_is_sent_where_waiting_helps(plane: Plane):
    plane.store.down = True

    result = plane.send(predict_event(BODY))

    assert result["statusCode"] == 503
    assert result["headers"]["retry-after"] == "2"
    assert result["headers"]["content-type"] == "application/problem+json"


class BrokenStore(FakeStore):
    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        raise RuntimeError("secret path /var/task")


def test_a_fault_of_ours_is_logged_and_not_told():
    plane = Plane(store=BrokenStore())

    status, problem = plane.post(BODY)

    assert (status, problem["code"]) == (500, "internal")
    assert "secret" not in orjson.dumps(problem).decode()
    assert "secret" in plane.log()["exception"]
