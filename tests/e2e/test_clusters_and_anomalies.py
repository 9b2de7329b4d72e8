"""Tables without a target by the same calls as others: upload, train, look at the report, predict."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn.metrics import adjusted_rand_score

from modelmill_client import Client, InvalidRequest
from tests.e2e.conftest import Command

pytestmark = pytest.mark.timeout(180)


def test_wines_are_grouped_without_their_labels(client: Client, modelmill: Command, wine: Path, tmp_path: Path) -> None:
    # given wines whose cultivar is not learned from, as the dataset's target
    client.datasets.upload(wine, name="vineyards", target="cultivar", wait=True)
    trained = modelmill("train", "vineyards", "--model", "vineyards", "--task", "clustering", "--set", "clusters=3",
                        "--algorithm", "kmeans", "--seed", "1", "--watch")  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert "silhouette" in trained.stdout

    # when the command predicts a file, and shows the report
    result = modelmill("predict", "vineyards", "--csv", str(wine))
    report = modelmill("report", "vineyards", "--out", str(tmp_path / "report"))

    # then groups are the cultivars, by the file of the bundle too
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    found = [int(row["cluster"]) for row in rows]
    assert adjusted_rand_score([row["cultivar"] for row in rows], found) > 0.8
    file = client.models.download("vineyards", 1, "model.onnx", tmp_path)
    signature = client.models.version("vineyards", 1)["signature"]
    numbers = np.array([[float(row[column["name"]]) for column in signature["features"]] for row in rows])
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    cluster, distances = session.run(["cluster", "distances"], {"numeric": numbers})
    assert cluster.tolist() == found
    told = [[float(row[f"distances_{place}"]) for place in range(3)] for row in rows]
    assert np.array(told) == pytest.approx(distances, rel=1e-6)
    assert report.returncode == 0, report.stderr
    assert "typical value" in report.stdout
    assert "strangest" not in report.stdout
    assert (tmp_path / "report/clusters.svg").exists()


def test_strange_wines_are_found_by_a_forest_and_by_a_network(client: Client, wine: Path, modelmill: Command) -> None:
    dataset = client.datasets.upload(wine, name="cellar", wait=True)
    with wine.open(newline="") as file:
        usual = next(csv.DictReader(file))
    row = {name: value if name == "cultivar" else float(value) for name, value in usual.items()}
    strange = {name: value if isinstance(value, str) else 10 * value for name, value in row.items()}

    for model, algorithm, settings in [
        ("forest", "auto", {}),
        ("network", "autoencoder", {"layers": [16], "code_size": 2, "epochs": 20, "learning_rate": 0.01}),
    ]:
        job = client.training_jobs.create(
            dataset["dataset_id"],
            model,
            task="anomaly_detection",
            algorithm=algorithm,
            hyperparameters=settings,
            seed=1,
        )
        client.training_jobs.wait(job["job_id"], timeout=150)
        normal, odd = client.predict(model, [row, strange])["predictions"]
        assert (normal["anomalous"], odd["anomalous"]) == (False, True)
        assert odd["score"] > normal["score"]
    assert len(odd["embedding"]) == 2

    report = modelmill("report", "forest")
    assert "strangest row" in report.stdout
    assert "cluster" not in report.stdout
    line = modelmill("predict", "network", "--json", json.dumps(strange))
    assert json.loads(line.stdout)["predictions"] == [odd]


def test_a_target_where_none_is_needed_and_none_where_one_is(client: Client, wine: Path) -> None:
    dataset = client.datasets.upload(wine, name="bottles", wait=True)

    with pytest.raises(InvalidRequest, match="leave it out"):
        client.training_jobs.create(dataset["dataset_id"], "bottles", "cultivar", task="clustering")
    with pytest.raises(InvalidRequest, match="ask for the task clustering or anomaly_detection"):
        client.training_jobs.create(dataset["dataset_id"], "bottles")
