"""Texts and pictures by the same calls as tables: upload, train, predict."""

import csv
import io
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from PIL import Image
from tokenizers import Tokenizer

from modelmill_client import Client, InvalidRequest
from modelmill_client.local import LocalCloud
from tests.e2e.conftest import Command
from tests.kinds import digit_files, digits_archive, review

pytestmark = pytest.mark.timeout(180)


def bundle(client: Client, model: str, folder: Path) -> Any:
    """A session of the graph of version 1, whose files are put into the folder."""
    for name in client.models.version(model, 1)["files"]:
        if name in ("model.onnx", "tokenizer.json"):
            client.models.download(model, 1, name, folder)
    return onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def probabilities(answer: dict[str, Any]) -> np.ndarray:
    return np.array([list(each["probabilities"].values()) for each in answer["predictions"]])


def test_texts_become_a_served_model(client: Client, modelmill: Command, tmp_path: Path) -> None:
    # given reviews in several languages, trained through the command with weights of half the bytes
    random = np.random.default_rng(5)
    moods = [str(random.choice(["good", "bad"])) for _ in range(300)]
    file = tmp_path / "reviews.csv"
    with file.open("w", newline="", encoding="utf-8") as output:
        csv.writer(output).writerows([("review", "mood"), *((review(mood, random), mood) for mood in moods)])
    uploaded = modelmill("datasets", "upload", str(file), "--kind", "text", "--target", "mood", "--wait")
    assert uploaded.returncode == 0, uploaded.stderr
    trained = modelmill(
        *("train", "reviews", "--model", "reviews", "--algorithm", "text_linear", "--watch"),
        *("--set", "tokens=characters", "--set", "ngrams=4", "--quantize", "float16"),
    )
    assert trained.returncode == 0, trained.stderr
    assert "float16 is kept" in trained.stdout

    # when texts are predicted by the SDK, and a file by the command
    answer = client.predict("reviews", [{"text": "这家酒店, 非常好, 推荐"}, "the pool, awful, never again"])
    result = modelmill("predict", "reviews", "--csv", str(file))

    # then both are right and as the bundle's files say, and what is no text is refused
    assert [prediction["label"] for prediction in answer["predictions"]] == ["good", "bad"]
    session, tokenizer = bundle(client, "reviews", tmp_path), Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = [
        encoded.ids for encoded in tokenizer.encode_batch(["这家酒店, 非常好, 推荐", "the pool, awful, never again"])
    ]
    assert probabilities(answer) == pytest.approx(session.run(["probabilities"], {"input_ids": ids})[0], abs=1e-5)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert np.mean([row["prediction"] == row["mood"] for row in rows]) > 0.9
    with pytest.raises(InvalidRequest, match="must be"):
        client.predict("reviews", [{"text": 3}])


def test_four_sentences_are_refused_before_anything_is_started(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "four.csv"
    file.write_text("text,label\nso good,yes\nso bad,no\nvery good,yes\nvery bad,no\n")
    dataset = client.datasets.upload(file, kind="text", target="label", wait=True)

    with pytest.raises(InvalidRequest, match="too few") as caught:
        client.training_jobs.create(dataset["dataset_id"], "four")

    assert caught.value.code == "untrainable"


def test_pictures_become_a_served_model(cloud: LocalCloud, client: Client, modelmill: Command, tmp_path: Path) -> None:
    # given handwritten digits in a zip archive, and a network with weights of a quarter of the bytes
    dataset = client.datasets.upload(digits_archive(tmp_path / "digits.zip"), wait=True)
    assert (dataset["kind"], dataset["rows"]) == ("image", 1797)
    settings = {"filters": [16, 32], "epochs": 6, "learning_rate": 0.005}
    job = client.training_jobs.create(
        dataset["dataset_id"],
        "digits",
        algorithm="cnn",
        hyperparameters=settings,
        seed=1,
        optimize={"quantize": "int8", "max_metric_loss": 0.02},
    )
    client.training_jobs.wait(job["job_id"], timeout=150)

    # when pictures are sent as base64, as files of the command, and one as the body itself
    files = digit_files(20)
    answer = client.predict("digits", [{"image": b64encode(content).decode()} for _, _, content in files])
    (tmp_path / "one.png").write_bytes(files[0][2])
    result = modelmill("predict", "digits", "--image", str(tmp_path / "one.png"), "--format", "json")
    url, key = ((cloud.state / name).read_text() for name in ("url", "api_key"))
    headers = {"x-api-key": key, "content-type": "image/png"}
    raw = httpx.post(f"{url}/v1/models/digits/predict", content=files[0][2], headers=headers)

    # then all give the same, mostly right, and as the bundle's graph says
    labels = [prediction["label"] for prediction in answer["predictions"]]
    assert np.mean([found == label for found, (_, label, _) in zip(labels, files, strict=True)]) > 0.85
    assert json.loads(result.stdout)["predictions"][0]["label"] == labels[0]
    assert raw.status_code == 200
    assert raw.json()["predictions"][0]["label"] == labels[0]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(content)))[..., None] for _, _, content in files])
    expected = bundle(client, "digits", tmp_path).run(["probabilities"], {"pixels": pixels})[0]
    assert probabilities(answer) == pytest.approx(expected, abs=1e-5)

    # and the version tells what its form saves
    found = client.models.version("digits", 1)["optimization"]
    assert found["kept"], found["reason"]
    assert (tmp_path / "model.onnx").stat().st_size == found["after"]["model_bytes"]
    assert found["after"]["model_bytes"] < 0.4 * found["before"]["model_bytes"]
    assert client.models.report("digits", 1)["optimization"] == found
