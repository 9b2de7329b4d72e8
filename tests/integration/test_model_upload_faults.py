"""Uploads of models under lost, repeated and late events, and crashes in between: one end, reached exactly once."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from modelmill.aws.queues import parse_upload_message
from modelmill.jobs.sweep import sweep
from modelmill.models.admission import AdmittedBundle
from modelmill.models.arrival import Reception, take_in
from modelmill.models.promotion import Promotion, promote
from modelmill.models.registry import Alias
from modelmill.models.uploads import UPLOAD_SECONDS
from tests.cloud import TENANT, Cloud
from tests.model_uploads import MODEL, Admission, arrived, asked, live, ready, row, sent, under_way, version


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let time have passed."""
    import time

    real = time.time_ns()
    monkeypatch.setattr(time, "time", lambda: real / 1e9 + seconds)


def crash(*_: Any, **__: Any) -> Any:
    raise SystemExit


def swept(cloud: Cloud) -> list[str]:
    """A sweep when everything is due; the keys that it tells `admit` of."""
    cloud.make_due()
    sweep(cloud.sweeper)
    found = [parse_upload_message(message, cloud.uploads.name) for message in cloud.messages("admit")]
    return [key for key in found if key]


def test_an_event_that_arrives_three_times_is_worked_on_once(cloud: Cloud) -> None:
    number, key = sent(cloud)
    admission = Admission()

    for _ in range(3):
        arrived(cloud, key, admission)

    assert version(cloud, number)["status"] == "ready"
    assert len(admission.labels) == 1
    assert under_way(cloud) == 0


def test_with_every_event_lost_an_upload_is_ready_after_a_sweep(cloud: Cloud) -> None:
    number, key = sent(cloud)

    (told,) = swept(cloud)
    arrived(cloud, told)

    assert told == key
    assert version(cloud, number)["status"] == "ready"
    assert live(cloud) == number
    assert swept(cloud) == []


def test_an_upload_that_never_comes_expires_when_its_form_has(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = asked(cloud)

    swept(cloud)
    before = version(cloud, number)["status"]
    later(monkeypatch, UPLOAD_SECONDS + 1)
    for _ in range(2):
        swept(cloud)

    assert (before, version(cloud, number)["status"]) == ("awaiting_upload", "expired")
    assert under_way(cloud) == 0


def test_a_file_that_comes_after_the_end_changes_nothing_and_is_removed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, key = asked(cloud)
    later(monkeypatch, UPLOAD_SECONDS + 1)
    swept(cloud)

    cloud.uploads.write(key, MODEL)
    arrived(cloud, key)

    assert version(cloud, number)["status"] == "expired"
    assert cloud.uploads.size(key) is None
    assert live(cloud) is None
    assert under_way(cloud) == 0


def test_a_second_file_under_the_same_form_does_not_replace_the_first(cloud: Cloud) -> None:
    number = ready(cloud)
    key = f"models/{TENANT}/m/{number}"

    cloud.uploads.write(key, b"another model")
    arrived(cloud, key)

    assert cloud.store.read(f"models/{TENANT}/m/{number}/model.onnx") == MODEL
    assert cloud.uploads.size(key) is None


def test_an_event_whose_file_is_gone_changes_nothing(cloud: Cloud) -> None:
    number, key = asked(cloud)

    arrived(cloud, key)

    assert version(cloud, number)["status"] == "awaiting_upload"


def test_a_file_that_vanishes_while_it_is_validated_is_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    number, key = sent(cloud)
    with pytest.raises(SystemExit):
        arrived(cloud, key, Admission(SystemExit()))
    cloud.uploads.delete(key)

    later(monkeypatch, 600)
    for _ in range(2):
        assert swept(cloud) == []

    found = version(cloud, number)
    assert (found["status"], found["failure"]["code"]) == ("rejected", "upload_lost")
    assert under_way(cloud) == 0


def test_a_crash_while_validating_is_taken_up_after_the_lease(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    number, key = sent(cloud)
    with pytest.raises(SystemExit):
        arrived(cloud, key, Admission(SystemExit()))

    arrived(cloud, key)
    while_leased = (version(cloud, number)["status"], cloud.uploads.size(key))
    later(monkeypatch, 60)
    (told,) = swept(cloud)
    arrived(cloud, told)

    assert while_leased == ("validating", len(MODEL))
    assert version(cloud, number)["status"] == "ready"
    assert row(cloud, number).attempts == 2
    assert under_way(cloud) == 0


def test_a_model_that_kills_every_validation_is_rejected_in_the_end(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, key = sent(cloud)
    for hour in range(7):
        later(monkeypatch, hour * 3600)
        try:
            arrived(cloud, key, Admission(SystemExit()))
        except SystemExit:
            continue

    assert version(cloud, number)["failure"]["code"] == "validation_failed"
    assert cloud.uploads.size(key) is None
    assert under_way(cloud) == 0
    assert cloud.call("DELETE", "/v1/models/m").status == 204


@pytest.mark.parametrize("step", ["keep", "accept", "delete"])
def test_a_crash_between_two_steps_gives_one_version(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    number, key = sent(cloud)
    reception = cloud.reception(Admission())
    owner = {"keep": reception.bundles, "accept": cloud.model_uploads, "delete": cloud.uploads}[step]
    with monkeypatch.context() as broken:
        broken.setattr(owner, step, crash)
        with pytest.raises(SystemExit):
            take_in(reception, key)

    later(monkeypatch, 600)
    take_in(reception, key)

    assert version(cloud, number)["status"] == "ready"
    assert version(cloud, number)["aliases"] == ["live"]
    assert len(cloud.call("GET", "/v1/models/m/ledger").body["entries"]) == 1
    assert cloud.uploads.size(key) is None
    assert under_way(cloud) == 0


def test_an_attempt_that_was_overtaken_leaves_what_the_other_kept(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, key = sent(cloud)
    slow = Admission()

    def overtaken(folder: Path, labels: list[str] | None) -> AdmittedBundle:
        later(monkeypatch, 600)
        arrived(cloud, key)
        bundle = slow(folder, labels)
        (folder / "manifest.json").write_text((folder / "manifest.json").read_text() + "\n")
        return bundle

    take_in(cloud.reception(overtaken), key)

    kept = cloud.store.read(f"models/{TENANT}/m/{number}/manifest.json")
    assert hashlib.sha256(kept).hexdigest() == row(cloud, number).manifest_sha256
    assert under_way(cloud) == 0


class MovingRegistry:
    """A registry in which somebody promotes version 1 just after the alias was read."""

    def __init__(self, cloud: Cloud, times: int) -> None:
        self._cloud = cloud
        self._times = times

    def alias(self, tenant: str, model: str, alias: str) -> Alias | None:
        seen = self._cloud.registry.alias(tenant, model, alias)
        if self._times and seen:
            self._times -= 1
            promote(self._cloud.registry, tenant, model, Promotion(alias, 3 - seen.version, "meanwhile", "somebody"))
        return seen


def test_an_alias_that_moves_meanwhile_is_read_again(cloud: Cloud) -> None:
    ready(cloud)
    ready(cloud)
    number, key = sent(cloud, promote=True)
    plain = cloud.reception(Admission())
    registry: Any = MovingRegistry(cloud, times=2)

    take_in(Reception(plain.versions, registry, plain.uploads, plain.bundles, plain.admit), key)

    assert live(cloud) == number
    newest = cloud.call("GET", "/v1/models/m/ledger").body["entries"][0]
    assert (newest["from_version"], newest["to_version"]) == (1, 3)
