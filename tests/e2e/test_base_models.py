"""A base model from its folder to predictions: uploaded by the command, trained further, served, and as an encoder."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from modelmill_client import Client, InvalidRequest, NotReady
from tests.base_models import embed, film_reviews, tokens, write_folder, zipped
from tests.e2e.conftest import Command

pytestmark = pytest.mark.timeout(280)

SETTINGS = ["learning_rate=0.003", "epochs=12", "dropout=0", "patience=0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("base") / "tiny-film-bert")


def by_hand(client: Client, model: str, texts: list[str], into: Path) -> dict[str, Any]:
    """What the files of the live version give, without any code of this project."""
    for name in ("model.onnx", "tokenizer.json"):
        client.models.download(model, 1, name, into)
    encoded = Tokenizer.from_file(str(into / "tokenizer.json")).encode_batch(texts)
    session = onnxruntime.InferenceSession(into / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    ids = np.array([each.ids for each in encoded], dtype=np.int64)
    return dict(zip(names, session.run(names, {"input_ids": ids}), strict=True))


def test_a_base_model_is_trained_further_and_served(
    client: Client, modelmill: Command, folder: Path, tmp_path: Path
) -> None:
    # given a base model that was uploaded as a folder, and reviews
    uploaded = modelmill("base-models", "upload", str(folder), "--json")
    assert uploaded.returncode == 0, uploaded.stderr
    base_model_id = json.loads(uploaded.stdout)["base_model_id"]
    data, file = film_reviews(), tmp_path / "films.csv"
    with file.open("w", newline="", encoding="utf-8") as output:
        rows = zip(data.values("review"), data.values("mood"), strict=True)
        csv.writer(output).writerows([("review", "mood"), *rows])
    client.datasets.upload(file, kind="text", target="mood", wait=True)

    # when it is trained further through the command, by the name that the folder gave it
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ("--model", "films", "--algorithm", "bert", "--base-model", "tiny-film-bert", *settings, "--json")
    trained = modelmill("train", "films", *words)
    assert trained.returncode == 0, trained.stderr
    ended = client.training_jobs.wait(json.loads(trained.stdout)["job_id"], timeout=200)
    assert ended["status"] == "completed"

    # then predictions are right, and those that the bundle's files give
    texts, truth = data.values("review")[:60], data.values("mood")[:60]
    predictions = client.predict("films", [{"text": text} for text in texts])["predictions"]
    assert np.mean([prediction["label"] == mood for prediction, mood in zip(predictions, truth, strict=True)]) > 0.8
    expected = by_hand(client, "films", texts, tmp_path)["probabilities"]
    version = client.models.version("films", 1)
    found = [[prediction["probabilities"][label] for label in version["labels"]] for prediction in predictions]
    assert np.allclose(found, expected, atol=1e-5)
    assert version["lineage"]["base_model"] == base_model_id
    assert version["parity"]["passed"]

    # and as an encoder it gives what its weights say
    job = client.training_jobs.create(
        client.datasets.find("films")["dataset_id"], "vectors", task="embedding", algorithm="bert",
        base_model=base_model_id,
    )  # fmt: skip
    assert client.training_jobs.wait(job["job_id"], timeout=200)["status"] == "completed"
    vectors = [each["vector"] for each in client.predict("vectors", texts)["predictions"]]
    assert np.allclose(vectors, by_hand(client, "vectors", texts, tmp_path)["vector"], atol=1e-5)
    tokenizer = (tmp_path / "tokenizer.json").read_text("utf-8")
    assert np.allclose(vectors, [embed(folder, tokens(tokenizer, text)) for text in texts], atol=1e-5)
    shown = modelmill("report", "vectors")
    assert shown.returncode == 0, shown.stderr

    # and it can be deleted, after which no job can start from it
    assert modelmill("base-models", "delete", base_model_id, "--yes").returncode == 0
    with pytest.raises(InvalidRequest, match="is deleted"):
        client.training_jobs.create(job["dataset_id"], "films", algorithm="bert", base_model=base_model_id)


def test_an_archive_with_a_pickle_is_refused_by_the_name_of_the_file(
    client: Client, modelmill: Command, folder: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "pickled.zip"
    archive.write_bytes(zipped(folder, **{"pytorch_model.bin": b"\x80\x04."}))

    result = modelmill("base-models", "upload", str(archive))

    assert result.returncode == 1
    assert "pytorch_model.bin" in result.stderr
    with pytest.raises(NotReady):
        client.base_models.upload(archive, wait=True)
    statuses = {each["status"] for each in client.base_models.list() if each["name"] == "pickled"}
    assert statuses == {"rejected"}
