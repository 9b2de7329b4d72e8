"""Time series by the same calls as tables: upload, train, forecast."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from modelmill_client import Client, InvalidRequest, NotReady
from tests.e2e.conftest import Command
from tests.kinds import shops

pytestmark = pytest.mark.timeout(180)

HORIZON = 12


def history_file(path: Path, steps: int) -> Path:
    """The first `steps` of two shops as CSV, holes in them."""
    data = shops(400)
    names = list(data.columns)
    rows = zip(*(data.values(name) for name in names), strict=True)
    kept = [row for place, row in enumerate(rows) if place % 400 < steps and place % 400 not in (20, 21, 350)]
    with path.open("w", newline="", encoding="utf-8") as output:
        csv.writer(output).writerows([names, *kept])
    return path


def test_series_become_a_served_model(client: Client, modelmill: Command, tmp_path: Path) -> None:
    # given hourly sales of two shops, of which the end is kept back, trained through the command
    file = history_file(tmp_path / "sales.csv", 400 - HORIZON)
    uploaded = modelmill("datasets", "upload", str(file), "--kind", "timeseries", "--target", "sales", "--wait")
    assert uploaded.returncode == 0, uploaded.stderr
    options = ["--time", "hour", "--series", "shop", "--horizon", str(HORIZON), "--features", "warmth,sky"]
    settings = ["--algorithm", "gradient_boosting", "--set", "max_iter=50"]
    trained = modelmill("train", "sales", "--model", "sales", *options, *settings, "--watch")
    assert trained.returncode == 0, trained.stderr

    # when it forecasts from the file through the command, and by the SDK
    result = modelmill("predict", "sales", "--csv", str(file))
    with file.open(encoding="utf-8") as lines_of_file:
        history = [row for row in csv.DictReader(lines_of_file) if row["shop"] == "shop 1"]
    instance = {"history": [_typed(row) for row in history]}
    [prediction] = client.predict("sales", [instance])["predictions"]

    # then both give the same times and values, near to what was kept back, and so does the bundle by hand
    lines = [line for line in csv.DictReader(io.StringIO(result.stdout)) if line["shop"] == "shop 1"]
    assert [line["time"] for line in lines] == prediction["times"]
    assert [float(line["prediction"]) for line in lines] == prediction["values"]
    data = shops(400)
    truth = np.array(data.values("sales")[-HORIZON:])
    assert prediction["times"] == [f"{moment.isoformat()}Z" for moment in data.values("hour")[-HORIZON:]]
    assert np.abs(np.array(prediction["values"]) - truth).mean() < 0.1 * truth.mean()
    assert np.mean((prediction["lower"] <= truth) & (truth <= prediction["upper"])) > 0.6
    model = client.models.resolve("sales")
    assert prediction["values"] == pytest.approx(_by_hand(client, model["version"], history, tmp_path), rel=1e-9)

    # and the job tells of the holes, the baseline, and what it cannot take
    assert model["metrics"]["test"]["mase"] < model["metrics"]["test"]["seasonal_naive_mase"]
    assert model["split"]["filled_steps"] == 6
    assert "filled_steps" in modelmill("report", "sales").stdout
    assert "12 steps ahead from the last 48 points" in modelmill("versions", "sales", "1").stdout
    with pytest.raises(InvalidRequest, match="has 9 points; this model needs the last 48"):
        client.predict("sales", [{"history": instance["history"][-9:]}])


def test_what_cannot_be_forecast_is_refused_before_anything_is_started(client: Client, tmp_path: Path) -> None:
    dataset = client.datasets.upload(
        history_file(tmp_path / "two.csv", 60), kind="timeseries", target="sales", wait=True
    )

    for options, said in (({}, "the column `series`"), ({"series": "shop", "horizon": 200}, "at least 611 points")):
        with pytest.raises(InvalidRequest, match=said) as caught:
            client.training_jobs.create(dataset["dataset_id"], "two", **options)
        assert caught.value.code == "untrainable"


def test_a_file_without_times_is_no_time_series(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "years.csv"
    file.write_text("year,value\n" + "".join(f"{1900 + n},{n}\n" for n in range(60)))

    with pytest.raises(NotReady, match=r"no column holds times such as 2026-01-31 .* year \(integer\)"):
        client.datasets.upload(file, kind="timeseries", target="value", wait=True)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    return {**row, "sales": float(row["sales"]), "warmth": float(row["warmth"])}


def _by_hand(client: Client, version: int, history: list[dict[str, str]], folder: Path) -> list[float]:
    path = client.models.download("sales", version, "model.onnx", folder)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    last = history[-48:]
    end = datetime.fromisoformat(last[-1]["hour"]).replace(tzinfo=UTC).timestamp()
    ahead = [datetime.fromtimestamp(end + 3600 * step, UTC) for step in range(1, HORIZON + 1)]
    # The hole at step 350 of 388 is among the last 48.
    missing = 350 - (388 - 48)
    sales = [float(row["sales"]) for row in history[-47:]]
    sales.insert(missing, (sales[missing - 1] + sales[missing]) / 2)
    warmth = [float(row["warmth"]) for row in history[-47:]]
    warmth.insert(missing, warmth[missing - 1])
    sky = [row["sky"] for row in history[-47:]]
    sky.insert(missing, "")
    feed = {
        "history": np.array([sales]),
        "numeric": np.array(warmth)[None, :, None],
        "categorical": np.array(sky, dtype=object)[None, :, None],
        "steps": np.array([[[at.timestamp(), at.month, at.day, at.weekday(), at.hour] for at in ahead]]),
    }
    [values] = session.run(["values"], feed)
    return [float(value) for value in values[0]]
