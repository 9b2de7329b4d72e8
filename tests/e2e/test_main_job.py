"""The main job as a person does it: a CSV goes in, a served model version comes out, and a restart changes nothing."""

import csv
import io
import json
from pathlib import Path

import httpx
import pytest

from modelmill_client import Client, InvalidRequest, NotReady, Unauthenticated
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


def test_the_command_does_the_same(modelmill: Command, model: str, wine: Path, tmp_path: Path) -> None:
    # when a second version is trained, promoted, used and rolled back by hand
    uploaded = modelmill("datasets", "upload", str(wine), "--name", "wine-again", "--target", "cultivar", "--wait")
    trained = modelmill("train", "wine-again", "--model", model, "--algorithm", "linear", "--watch", "--json")
    version = json.loads(trained.stdout)["model_version"]
    before = modelmill("predict", model, "--csv", str(wine), "--out", "before.csv")
    promoted = modelmill("promote", model, str(version), "--reason", "newer", "--json")
    predicted = modelmill("predict", model, "--csv", str(wine))
    rolled_back = modelmill("rollback", model, "--reason", "older was fine", "--json")
    ledger = json.loads(modelmill("ledger", model, "--json").stdout)

    # then each step worked and the ledger tells the story, newest first
    assert [run.returncode for run in (uploaded, trained, before, promoted, predicted, rolled_back)] == [0] * 6
    assert "proline" in uploaded.stdout
    assert "by wine version 1" in before.stderr
    assert "cultivar" in predicted.stderr
    assert f"by wine version {version}" in predicted.stderr
    rows = list(csv.DictReader(io.StringIO(predicted.stdout)))
    assert sum(row["prediction"] == row["cultivar"] for row in rows) / len(rows) > 0.95
    assert json.loads(promoted.stdout)["version"] == version
    assert json.loads(rolled_back.stdout)["version"] == 1
    assert [entry["reason"] for entry in ledger[:2]] == ["older was fine", "newer"]
    assert (tmp_path / "before.csv").exists()


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
