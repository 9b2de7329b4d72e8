"""Logistic regression on TF-IDF weights of n-grams.

weight = (1 + ln(count)) * idf, scaled to length 1 per text; idf = 1 + ln((1 + texts) / (1 + texts with it)): that of
scikit-learn's TfidfTransformer with sublinear_tf.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits
from tokenizers import Tokenizer

from modelmill_training.classifier import Model, Request
from modelmill_training.data import Floats
from modelmill_training.failures import TrainingFailure
from modelmill_training.metrics import log_loss
from modelmill_training.onnx_graph import FLOAT, INT64, GraphBuilder, singles, value_info
from modelmill_training.text.ngrams import Ngrams, choose
from modelmill_training.text.tokens import FIRST_WORD, Tokens, joined, word_tokenizer

REFITS = True
LIBRARIES = ("scikit-learn", "tokenizers")

# Longer texts say little more, and memory stays bounded.
MAX_LENGTH = 4096
PENALTIES = (1.0, 2.0, 4.0, 8.0, 16.0)
MAX_ITERATIONS = 300
# Where so many tokens are single characters, sequences of up to four say what two words do.
CHARACTER_SHARE = 0.5
SHORT, LONG = 2, 4
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class LinearModel:
    """scores = weights of the n-grams · coefficients + intercept, then softmax.

    idf: [features]; coefficients: [features, classes]; intercept: [classes].
    """

    tokenizer: Tokenizer
    ngrams: Ngrams
    idf: Floats
    coefficients: Floats
    intercept: Floats

    def predict(self, texts: list[str]) -> Floats:
        """See `Model`."""
        counts = self.ngrams.count(joined(self.tokenizer, texts))
        return softmax(weigh(counts, self.idf) @ self.coefficients + self.intercept)

    def write(self, builder: GraphBuilder, ids: str) -> str:
        """See `Model`. Text by text, so that memory does not grow with the batch."""
        idf, coefficients, intercept = (
            builder.constant(singles(array)) for array in (self.idf, self.coefficients, self.intercept)
        )
        body = GraphBuilder("text_")
        counts = body.node("TfIdfVectorizer", "text_ids", **self._counting())
        places = body.node("Squeeze", body.node("NonZero", counts), body.constant(np.array([0])))
        logarithms = body.node("Log", body.node("Gather", counts, places))
        raw = body.node(
            "Mul", body.node("Add", logarithms, body.constant(singles(1))), body.node("Gather", idf, places)
        )
        length = body.node("Max", body.node("ReduceL2", raw), body.constant(singles(TINY)))
        scores = body.node("MatMul", body.node("Div", raw, length), body.node("Gather", coefficients, places))
        score = body.node("Add", scores, intercept)
        graph = body.subgraph([value_info("text_ids", INT64, "L")], [value_info(score, FLOAT, len(self.intercept))])
        return builder.node("Softmax", builder.node("Scan", ids, body=graph, num_scan_inputs=1), axis=1)

    def _counting(self) -> dict[str, Any]:
        """Attributes of the operator: all n-grams, the shortest first, each with the place of its count."""
        grams = self.ngrams.grams
        sizes = [length * count for length, count in enumerate(_counts(grams), start=1)]
        return {
            "mode": "TF",
            "min_gram_length": 1,
            "max_gram_length": len(sizes),
            "max_skip_count": 0,
            "ngram_counts": np.cumsum([0, *sizes[:-1]]).tolist(),
            "ngram_indexes": list(range(len(grams))),
            "pool_int64s": [token for gram in grams for token in gram],
        }


def fit(request: Request) -> Model:
    """See `Builder`."""
    given = request.hyperparameters
    tokenizer = word_tokenizer(request.train.items, given["tokens"], given["min_texts"], MAX_LENGTH)
    tokens = joined(tokenizer, request.train.items)
    if given["ngrams"] is None:
        given["ngrams"] = LONG if _share_of_characters(tokenizer, tokens) > CHARACTER_SHARE else SHORT
    ngrams = _ngrams(request, tokenizer, tokens)
    counts = ngrams.count(tokens)
    idf = _idf(counts)
    weights = weigh(counts, idf)
    if given["C"] is None:
        asked = weigh(ngrams.count(joined(tokenizer, request.validation.items)), idf)
        given["C"] = _best_penalty(request, weights, asked)
    return LinearModel(tokenizer, ngrams, idf, *_coefficients(request, given["C"], weights))


def _ngrams(request: Request, tokenizer: Tokenizer, tokens: Tokens) -> Ngrams:
    given = request.hyperparameters
    found = choose(tokens, tokenizer.get_vocab_size(), given["ngrams"], given["min_texts"], given["max_features"])
    if not found.grams:
        message = "No word occurs in enough texts: add texts, or ask for a lower min_texts."
        raise TrainingFailure("no_usable_columns", message)
    return found


def _best_penalty(request: Request, weights: csr_matrix, asked: csr_matrix) -> float:
    """The strength that gives the validation texts the best log loss."""
    losses = {}
    for step, strength in enumerate(PENALTIES, start=1):
        coefficients, intercept = _coefficients(request, strength, weights)
        loss = log_loss(request.validation.target, softmax(asked @ coefficients + intercept))
        losses[strength] = np.inf if loss is None else loss
        request.progress.report("fit", step, len(PENALTIES), {"C": strength, "val_log_loss": losses[strength]})
    return min(losses, key=lambda strength: losses[strength])


def weigh(counts: csr_matrix, idf: Floats) -> csr_matrix:
    """[N, features] counts as weights, each text of length 1."""
    weights = counts.copy()
    weights.data = 1 + np.log(weights.data)
    return csr_matrix(normalize(weights @ diags(idf)))


def _idf(counts: csr_matrix) -> Floats:
    texts = np.asarray((counts > 0).sum(axis=0), dtype=np.float64).ravel()
    return np.asarray(1 + np.log((1 + counts.shape[0]) / (1 + texts)), dtype=np.float64)


def _coefficients(request: Request, strength: float, weights: csr_matrix) -> tuple[Floats, Floats]:
    """[features, classes] and [classes]; of two classes the first one's are 0."""
    balanced = "balanced" if request.hyperparameters["class_weight"] == "balanced" else None
    estimator = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, class_weight=balanced)
    # On sparse weights two threads only wait for each other: they take four times as long as one.
    with threadpool_limits(1):
        estimator.fit(weights, request.train.target)
    coefficients, intercept = estimator.coef_.T, estimator.intercept_
    if request.classes == 2:
        coefficients = np.column_stack([np.zeros_like(coefficients), coefficients])
        intercept = np.array([0.0, *intercept])
    return coefficients, intercept


def softmax(scores: Floats) -> Floats:
    """[N, classes] probabilities."""
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float64)


def _share_of_characters(tokenizer: Tokenizer, tokens: Tokens) -> float:
    words = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    single = np.array([len(word) == 1 and not word.isascii() for word, _ in words])
    used = tokens.ids[tokens.ids >= FIRST_WORD]
    return float(single[used].mean()) if len(used) else 0.0


def _counts(grams: list[tuple[int, ...]]) -> list[int]:
    """How many there are of each length, from 1 to the longest."""
    return [int(count) for count in np.bincount([len(gram) for gram in grams])[1:]]
