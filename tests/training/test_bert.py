"""Training from a base model: what it starts from is what was uploaded, it learns, and its bundle gives the same."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from modelmill_training.onnx_graph import INT64, GraphBuilder, value_info
from modelmill_training.text import base_model
from modelmill_training.text.encoder import Encoder
from modelmill_training.text.encoder_graph import write_encoder
from tests.base_models import WIDTH, embed, film_reviews, tokens, write_folder
from tests.ml_tree import Data, Tree
from tests.training.conftest import Train

# What TensorFlow warns of in its own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]

TEXTS = ["The film was VERY good!", "a dull, dull plot", "", "unknown"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "base")


def vectors(folder: Path, pooling: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """What Keras and what ONNX make of TEXTS, in one batch."""
    base = base_model.load(folder)
    ids = np.array([each.ids for each in base.tokenizer.encode_batch(TEXTS)], dtype=np.int64)
    encoder, builder = Encoder(base, pooling, 0.5), GraphBuilder()
    written = write_encoder(builder, "input_ids", base.architecture, encoder.weights_by_part(), pooling)
    builder.node("Identity", written, output="vector")
    graph = builder.build([value_info("input_ids", INT64, "N", "L")], [value_info("vector", 1, "N", WIDTH)])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(encoder(ids.astype(np.int32))), session.run(None, {"input_ids": ids})[0]


def test_the_encoder_computes_what_was_uploaded(folder: Path) -> None:
    tokenizer = base_model.load(folder).tokenizer.to_str()

    keras, onnx = vectors(folder)

    for row, text in enumerate(TEXTS):
        expected = embed(folder, tokens(tokenizer, text))
        assert np.allclose(keras[row] / np.linalg.norm(keras[row]), expected, atol=2e-6)
        assert np.allclose(onnx[row] / np.linalg.norm(onnx[row]), expected, atol=2e-6)


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_the_graph_is_the_encoder(tmp_path: Path, pooling: str, activation: str) -> None:
    keras, onnx = vectors(write_folder(tmp_path / "base", hidden_act=activation, pad_token_id=4), pooling)

    assert np.allclose(keras, onnx, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_read(folder: Path, dtype: type) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: array.astype(dtype) for name, array in weights.items()}, folder / "model.safetensors")

    loaded = base_model.load(folder).weights["0.query.kernel"]

    expected = weights["encoder.layer.0.attention.self.query.weight"].T
    assert np.array_equal(loaded, expected.astype(dtype).astype(np.float32))


def test_the_tokenizer_of_a_vocabulary_is_berts(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    cased = base_model.load(folder).tokenizer
    (folder / "tokenizer_config.json").unlink()
    plain = base_model.load(folder).tokenizer

    assert plain.encode("The films").tokens == ["[CLS]", "the", "film", "##s", "[SEP]"]
    assert cased.encode("The films").tokens == ["[CLS]", "[UNK]", "film", "##s", "[SEP]"]


def accuracy(tree: Tree) -> float:
    found: float = tree.manifest.metrics["test"]["accuracy"]
    return found


QUICK = {"learning_rate": 3e-3, "epochs": 16, "patience": 6, "dropout": 0.0}


def test_it_learns_and_the_bundle_gives_the_same_by_hand(train: Train, folder: Path) -> None:
    data = film_reviews()

    tree = train(data, "bert", base_model=folder, hyperparameters=QUICK)

    assert tree.failure is None
    manifest = tree.manifest
    tokenizer = Tokenizer.from_file(str(tree.root / "model/tokenizer.json"))
    rows = tree.parts["test"]
    encoded = tokenizer.encode_batch([data.values("review")[row] for row in rows])
    found = tree.run({"input_ids": np.array([each.ids for each in encoded], dtype=np.int64)})
    truth = [data.values("mood")[row] for row in rows]
    assert np.mean(found["label"] == truth) == pytest.approx(accuracy(tree))
    assert accuracy(tree) > 0.9
    assert (manifest.parity["passed"], manifest.parity["max_error"] < 1e-5) == (True, True)
    assert manifest.lineage["base_model"] == "bm-1"
    assert manifest.spec["hyperparameters"]["batch_size"] == 16


def test_frozen_it_learns_less_and_leaves_the_encoder_as_it_was(train: Train, folder: Path) -> None:
    tree = train(film_reviews(), "bert", base_model=folder, hyperparameters={"freeze": True, "epochs": 5})

    assert tree.failure is None
    stored = load_file(folder / "model.safetensors")["encoder.layer.0.intermediate.dense.weight"].T.tobytes()
    assert stored in (tree.root / "model/model.onnx").read_bytes()
    assert tree.manifest.parity["passed"]


def test_auto_tries_it_where_there_is_a_base_model(train: Train, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelmill_training.classifier.auto.CANDIDATES", {"text": ("text_linear",)})

    tree = train(film_reviews(), "auto", base_model=folder)

    board = tree.manifest.leaderboard or []
    assert {(line["algorithm"], line["status"]) for line in board} == {("text_linear", "done"), ("bert", "done")}


def unlabelled(*, labels: bool = False) -> Data:
    """Texts of which nothing is to be predicted, some of them empty; `labels` keeps a column to be passed over."""
    data = film_reviews(60)
    data.values("review")[4:6] = ["", None]
    columns = data.columns if labels else {"review": data.columns["review"]}
    return Data(columns, None, "embedding", "text")


@pytest.mark.parametrize("ignored", [None, "mood"])
def test_an_encoder_is_served_as_it_is(train: Train, folder: Path, ignored: str | None) -> None:
    data = unlabelled(labels=ignored is not None)

    tree = train(data, "bert", base_model=folder, ignored_target=ignored)

    assert tree.failure is None
    manifest = tree.manifest
    tokenizer = Tokenizer.from_file(str(tree.root / "model/tokenizer.json"))
    texts = ["The film was VERY good!", "dull"]
    ids = np.array([each.ids for each in tokenizer.encode_batch(texts)], dtype=np.int64)
    (found,) = tree.run({"input_ids": ids}).values()
    expected = [embed(folder, tokens(tokenizer.to_str(), text)) for text in texts]
    assert np.allclose(found, expected, atol=2e-6)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert (manifest.task, manifest.labels, manifest.target) == ("embedding", None, None)
    assert [output.name for output in manifest.signature.outputs] == ["vector"]
    assert (manifest.parity["passed"], manifest.parity["rows"]) == (True, 18)
    assert manifest.split["empty_texts"] == 2
    assert manifest.spec["hyperparameters"].keys() == {"pooling", "max_length"}
    report = json.loads((tree.root / "model/report.json").read_bytes())
    assert -1 <= report["neighbours"][0]["similarity"] <= 1
    assert manifest.metrics["test"]["similarity_mean"] < 1


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"max_model_bytes": 10_000}, "model_too_large", "fewer parameters"),
        ({"hyperparameters": {"max_length": 100}}, "invalid_request", "at most 64"),
    ],
)
def test_what_the_base_model_does_not_allow_is_told_before_training(
    train: Train, folder: Path, spec: dict[str, object], code: str, words: str
) -> None:
    tree = train(film_reviews(), "bert", base_model=folder, **spec)

    assert tree.failure is not None
    assert tree.failure.startswith(code)
    assert words in tree.failure


@pytest.mark.parametrize("broken", ["weights", "tokenizer"])
def test_a_base_model_that_cannot_be_used_after_all_is_told(train: Train, folder: Path, broken: str) -> None:
    if broken == "weights":
        weights = load_file(folder / "model.safetensors")
        weights["embeddings.LayerNorm.bias"][0] = np.nan
        save_file(weights, folder / "model.safetensors")
    else:
        content = {"model": {"type": "WordPiece", "vocab": {"[PAD]": 0}}, "added_tokens": []}
        (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")

    tree = train(film_reviews(), "bert", base_model=folder)

    assert tree.failure is not None
    assert tree.failure.startswith("base_model_unusable")
