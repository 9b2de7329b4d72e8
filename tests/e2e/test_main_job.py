"""The main job as a person does it: a CSV goes in, a served model version comes out, and a restart changes nothing."""

import csv
import io
import json
from pathlib import Path

import httpx
import pytest

from modelmill_client import Client, Conflict, InvalidRequest, NotReady, Unauthenticated
from modelmill_client.local import LocalCloud
from tests.e2e.conftest import Command

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def model(cloud: LocalCloud, wine: Path) -> str:
    """A model with one version, trained through the SDK."""
    dataset = cloud.client.datasets.upload(wine, target="cultivar", wait=True)
    job = cloud.client.training_jobs.create(dataset["dataset_id"], "wine", algorithm="linear", seed=1)
    cloud.client.training_jobs.wait(job["job_id"], timeout=120)
    return "wine"


def test_a_csv_becomes_a_served_model(client: Client, model: str, wine: Path) -> None:
    # given a model that was trained on a CSV
    version = client.models.resolve(model)

    # when rows of the CSV are predicted
    with wine.open(newline="") as file:
        rows = list(csv.DictReader(file))
    instances = [{name: float(text) for name, text in row.items() if name != "cultivar"} for row in rows]
    answer = client.predict(model, instances)

    # then nearly all predictions are right, and the version says how it was made
    hits = sum(p["label"] == row["cultivar"] for p, row in zip(answer["predictions"], rows, strict=True))
    assert hits / len(rows) > 0.95
    assert answer["version"] == version["version"] == 1
    assert (version["task"], version["algorithm"], version["status"]) == ("multiclass", "linear", "ready")
    assert version["parity"]["passed"]
    assert version["metrics"]["test"]["accuracy"] > 0.9
    assert all(sum(p["probabilities"].values()) == pytest.approx(1, abs=1e-5) for p in answer["predictions"])


def test_an_alias_moves_and_goes_back_and_the_ledger_tells_it(client: Client, model: str) -> None:
    # given an alias that has moved once, and a call that was repeated
    first = client.models.promote(model, 1, "trial", alias="canary", expected_revision=0)
    again = client.models.promote(model, 1, "trial", alias="canary", expected_revision=1)

    # when somebody who has not seen that moves it, and when nothing was there before
    with pytest.raises(Conflict, match="revision"):
        client.models.promote(model, 1, "late", alias="canary", expected_revision=0)
    with pytest.raises(Conflict, match="no earlier version"):
        client.models.rollback(model, "worse", alias="canary")

    # then both are refused, and the ledger has what was done
    assert (first["revision"], again["revision"]) == (1, 1)
    moves = [entry for entry in client.models.ledger(model) if entry["alias"] == "canary"]
    assert [entry["reason"] for entry in moves] == ["trial"]


def test_the_command_predicts_a_file(modelmill: Command, model: str, wine: Path) -> None:
    result = modelmill("predict", model, "--csv", str(wine))

    assert result.returncode == 0
    assert "by wine version 1" in result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert sum(row["prediction"] == row["cultivar"] for row in rows) / len(rows) > 0.95


def test_the_report_and_its_pictures_can_be_had(client: Client, modelmill: Command, model: str, tmp_path: Path) -> None:
    # given a trained version, when its report is asked for, and its pictures are saved
    report = client.models.report(model, 1)
    result = modelmill("report", model, "--out", str(tmp_path / "report"))

    # then it tells what the version tells and more, and the pictures are there and can be fetched
    assert report["metrics"] == client.models.version(model, 1)["metrics"]
    assert {"confusion_matrix.svg", "roc.svg", "feature_importance.svg"} <= report["pictures"].keys()
    assert httpx.get(report["pictures"]["roc.svg"]).text.startswith("<?xml")
    assert result.returncode == 0, result.stderr
    saved = {path.name for path in (tmp_path / "report").iterdir()}
    assert saved == {"report.json", *report["pictures"]}
    for shown in ("accuracy", "when shuffled", "flavanoids"):
        assert shown in result.stdout


def test_a_broken_file_is_rejected_with_the_line(modelmill: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3,4,5\n")

    result = modelmill("datasets", "upload", "broken.csv", "--wait", "--json")

    assert result.returncode == 1
    dataset = json.loads(result.stdout)
    assert dataset["status"] == "rejected"
    assert dataset["problems"][0]["line"] == 3


def test_wrong_columns_are_named(client: Client, model: str) -> None:
    with pytest.raises(InvalidRequest, match="alcohol") as caught:
        client.predict(model, [{"strength": 13.0}])

    assert caught.value.code == "signature_mismatch"


def test_a_job_can_be_stopped(client: Client, cloud: LocalCloud, wine: Path) -> None:
    dataset = client.datasets.upload(wine, name="wine-stop", target="cultivar", wait=True)
    job = client.training_jobs.create(
        dataset["dataset_id"], "stopped", algorithm="mlp", hyperparameters={"epochs": 10_000, "patience": 0}
    )

    client.training_jobs.stop(job["job_id"])

    with pytest.raises(NotReady, match="stopped"):
        client.training_jobs.wait(job["job_id"], timeout=120)


def test_a_revoked_key_is_refused(client: Client) -> None:
    made = client.keys.create("short-lived", ["read"])
    with Client(client.url, made["key"]) as other:
        assert other.usage()["quotas"]
        client.keys.revoke(made["key_id"])
        # A key is remembered for up to 5 seconds.
        with pytest.raises(Unauthenticated):
            _until_refused(other)


def _until_refused(client: Client) -> None:
    import time

    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        client.usage()
        time.sleep(0.2)


def test_the_docs_page_needs_no_key(client: Client) -> None:
    assert httpx.get(f"{client.url}/docs", trust_env=False).status_code == 200
    assert httpx.get(f"{client.url}/openapi.json", trust_env=False).json()["paths"]


def test_everything_is_there_after_a_restart(cloud: LocalCloud, model: str) -> None:
    # given what is there before
    before = _inventory(cloud.client)
    instance = dict.fromkeys((f["name"] for f in cloud.client.models.resolve(model)["signature"]["features"]), 1.0)
    prediction = cloud.client.predict(model, [instance])

    # when the local cloud is stopped and started again
    cloud.stop()
    cloud.start()

    # then it is all there and answers as before, with the same key
    assert _inventory(cloud.client) == before
    assert cloud.client.predict(model, [instance]) == prediction


def _inventory(client: Client) -> list[object]:
    return [
        list(client.datasets.list()),
        list(client.training_jobs.list()),
        list(client.models.list()),
        [list(client.models.ledger(each["model"])) for each in client.models.list()],
        list(client.keys.list()),
    ]
