"""Training on texts: every algorithm learns, and its bundle gives by hand what training said of it."""

import json

import numpy as np
import onnxruntime
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from tokenizers import Tokenizer

from modelmill_training.text.ngrams import choose
from modelmill_training.text.tokens import joined, word_tokenizer
from tests.kinds import reviews
from tests.ml_tree import Data, Tree
from tests.training.conftest import Train

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]

QUICK = {
    "text_linear": {},
    "lstm": {"embedding": 10, "units": [10], "bidirectional": False, "pooling": "last", "vocabulary": 500, "epochs": 30,
             "patience": 0, "learning_rate": 0.01, "dropout": 0.0},
    "transformer": {"embedding": 16, "heads": 2, "feed_forward": 32, "vocabulary": 500, "epochs": 10,
                    "learning_rate": 0.01},
}  # fmt: skip

# Of 59 texts in the test part; nets, whose threads add up in any order, differ from run to run.
LEARNED = {"text_linear": 0.85, "lstm": 0.75, "transformer": 0.75}


def by_hand(tree: Tree, texts: list[str]) -> np.ndarray:
    """The probabilities that the files of the bundle give, without any code of this project."""
    tokenizer = Tokenizer.from_file(str(tree.root / "model/tokenizer.json"))
    session = onnxruntime.InferenceSession(tree.root / "model/model.onnx", providers=["CPUExecutionProvider"])
    ids = np.array([encoded.ids for encoded in tokenizer.encode_batch(texts)], dtype=np.int64)
    return np.asarray(session.run(["probabilities"], {"input_ids": ids})[0])


@pytest.mark.parametrize("algorithm", QUICK)
def test_it_learns_and_the_bundle_gives_the_same_by_hand(train: Train, algorithm: str) -> None:
    data = reviews()

    tree = train(data, algorithm, hyperparameters=QUICK[algorithm])

    assert tree.failure is None
    manifest = tree.manifest
    rows = tree.parts["test"]
    found = by_hand(tree, [data.values("review")[row] for row in rows])
    predicted = [manifest.labels[place] for place in found.argmax(axis=1)]
    truth = [data.values("mood")[row] for row in rows]
    accuracy = float(np.mean([one == other for one, other in zip(predicted, truth, strict=True)]))
    assert manifest.metrics["test"]["accuracy"] == pytest.approx(accuracy)
    assert accuracy > LEARNED[algorithm]
    assert manifest.parity["passed"]
    assert manifest.parity["max_error"] < 1e-5
    assert (manifest.kind, manifest.signature.inputs[0].name, manifest.labels) == ("text", "input_ids", ["bad", "good"])
    assert manifest.split["empty_texts"] == 2
    assert {entry for part in tree.parts.values() for entry in part} == set(range(400)) - {3, 7}


def test_a_longer_batch_changes_no_answer(train: Train) -> None:
    tree = train(
        reviews(), "lstm", hyperparameters=QUICK["lstm"] | {"bidirectional": True, "pooling": "max", "epochs": 2}
    )
    short, long = "非常好", "the hotel, " * 30

    alone, together = by_hand(tree, [short]), by_hand(tree, [short, long])

    assert np.allclose(alone[0], together[0], atol=1e-6)


def test_repeated_texts_stay_on_one_side_and_contradictions_are_reported(train: Train) -> None:
    data = reviews(200)
    texts, moods = data.values("review"), data.values("mood")
    texts[20:40], moods[20:40] = texts[40:60], moods[40:60]
    texts[60], moods[60], texts[61], moods[61] = "contradiction", "good", "contradiction", "bad"

    tree = train(
        Data({"review": ("text", texts), "mood": ("category", moods)}, "mood", "binary", "text"), "text_linear"
    )

    part_of = {row: part for part, rows in tree.parts.items() for row in rows}
    assert all(part_of[row] == part_of[row + 20] for row in range(20, 40))
    assert part_of[60] == part_of[61]
    report = json.loads((tree.root / "model/report.json").read_bytes())
    [warning] = [each for each in report["warnings"] if each["code"] == "conflicting_labels"]
    assert "contradiction" in warning["message"]
    assert (tree.root / "model/confusion_matrix.svg").exists()


def test_a_class_whose_texts_are_all_empty_is_told(train: Train) -> None:
    data = reviews(60)
    texts = [
        "" if mood == "bad" else text for text, mood in zip(data.values("review"), data.values("mood"), strict=True)
    ]

    tree = train(data.with_columns(review=("text", texts)), "text_linear")

    assert tree.failure is not None
    assert "'bad'" in tree.failure


def test_heads_that_do_not_divide_the_embedding_are_told(train: Train) -> None:
    tree = train(reviews(60), "transformer", hyperparameters={"embedding": 10, "heads": 3})

    assert tree.failure is not None
    assert "a multiple of heads" in tree.failure


def test_auto_keeps_the_cheap_one_where_texts_are_few(train: Train) -> None:
    tree = train(reviews(), "auto")

    assert tree.manifest.algorithm == "text_linear"
    board = {line["algorithm"]: line["status"] for line in tree.manifest.leaderboard or []}
    assert board == {"text_linear": "done", "lstm": "dropped", "transformer": "dropped"}


@pytest.mark.parametrize("longest", [1, 2, 4])
def test_ngrams_are_those_of_scikit_learn(longest: int) -> None:
    texts = [text for text in reviews(80).values("review") if text and text.strip()]
    tokenizer = word_tokenizer(texts, "words", 1, 4096)
    tokens = joined(tokenizer, texts)

    found = choose(tokens, tokenizer.get_vocab_size(), longest, 2, 100_000)

    split = [tokens.ids[tokens.text == place].tolist() for place in range(len(texts))]
    peer = CountVectorizer(analyzer=lambda ids: _ngrams(ids, longest), min_df=2)
    expected = peer.fit_transform(split)
    columns = [peer.vocabulary_[gram] for gram in found.grams]
    assert sorted(found.grams) == sorted(peer.vocabulary_)
    assert (found.count(tokens) != expected[:, columns]).nnz == 0


def _ngrams(ids: list[int], longest: int) -> list[tuple[int, ...]]:
    return [tuple(ids[at : at + n]) for n in range(1, longest + 1) for at in range(len(ids) - n + 1)]
