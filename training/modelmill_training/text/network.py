"""What all networks on texts share: their tokens, their training, and their form as a model."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tokenizers import Tokenizer

from modelmill_training.classifier import Labelled, Request
from modelmill_training.data import Floats, Integers
from modelmill_training.networks import devices, optimizers
from modelmill_training.networks.checkpoints import Keeper
from modelmill_training.networks.training import Examples, Schedule, Trainer, class_weights
from modelmill_training.onnx_graph import GraphBuilder
from modelmill_training.text.tokens import PADDING_ID, Ids, padded, padding_of, subword_tokenizer, with_length

EVALUATION_BATCH = 128
# What null means for max_length: the share of texts that are read whole, and the most tokens all the same.
READ_WHOLE = 0.95
LONGEST = 256

type Write = Callable[[Any, GraphBuilder, str], str]


@dataclass(frozen=True, slots=True)
class Network:
    """A fitted net. write: appends its computation to a graph (the net, the graph, the ids; the probabilities)."""

    net: Any
    tokenizer: Tokenizer
    writer: Write

    def predict(self, texts: list[str]) -> Floats:
        """See `Model`. Texts of about equal length share a batch."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        result = np.zeros((len(texts), self.net.output_shape[-1]))
        for start in range(0, len(texts), EVALUATION_BATCH):
            rows = order[start : start + EVALUATION_BATCH]
            ids = padded(self.tokenizer, [texts[row] for row in rows])
            result[rows] = np.asarray(self.net(ids.astype(np.int32), training=False), dtype=np.float64)
        return result

    def write(self, builder: GraphBuilder, ids: str) -> str:
        """See `Model`."""
        return self.writer(self.net, builder, ids)


def fit(request: Request, build: Callable[[int, Request], Any], writer: Write) -> Network:
    """A net that `build(tokens in the vocabulary, request)` makes, trained."""
    keras.utils.set_random_seed(request.seed % 2**32)
    given, rows = request.hyperparameters, len(request.train.target)
    tokenizer = _tokenizer(request)
    if given["max_length"] is None:
        given["max_length"] = usual_length(tokenizer, request.train.items)
    with_length(tokenizer, given["max_length"])
    optimizers.decide(given, rows)
    net = build(tokenizer.get_vocab_size(), request)
    parts = [examples(tokenizer, part) for part in (request.train, request.validation)]
    learn(
        net,
        partial(optimizers.optimizer, given, rows),
        request,
        *parts,
        algorithm=build.__module__,
        half_precision=True,
        prepare=trimmed(PADDING_ID),
    )
    return Network(net, tokenizer, writer)


def learn(
    net: Any,
    optimizer: Callable[[], Any],
    request: Request,
    train: Examples,
    validation: Examples,
    *,
    algorithm: str,
    **settings: Any,
) -> None:
    """Train a net of probabilities in place, as the request's hyper-parameters say; `settings` are `Trainer`'s."""
    given = request.hyperparameters
    trainer = Trainer(
        net,
        optimizer,
        classes=request.classes,
        identity={"algorithm": algorithm, **given},
        weights=class_weights(request.train.target, request.classes, given["class_weight"]),
        evaluation_batch=EVALUATION_BATCH,
        **settings,
    )
    schedule = Schedule(given["epochs"], given["batch_size"], given["patience"], request.seed, request.seconds)
    trainer.fit(train, validation, schedule, request.progress, request.report)


def _tokenizer(request: Request) -> Tokenizer:
    """Learned once and shared by all machines: the library goes through words in an order that is never the same, so
    that learning it again gives another one.
    """
    texts, vocabulary = request.train.items, request.hyperparameters["vocabulary"]
    learned_from = np.frombuffer("\0".join(texts).encode(), np.uint8)
    keeper = Keeper(request.progress, {"tokenizer": vocabulary}, [learned_from])
    if found := keeper.found():
        (content,) = found[1]
    else:
        text = subword_tokenizer(texts, vocabulary, LONGEST).to_str()
        content = np.frombuffer(text.encode(), np.uint8)
        keeper.keep({}, [content])
    return Tokenizer.from_str(devices.from_chief(content.tobytes()).decode())


def real_tokens(ids: Any, padding: int = PADDING_ID) -> Any:
    """[N, length] 1.0 for tokens and 0.0 for padding."""
    return keras.ops.cast(keras.ops.not_equal(ids, padding), "float32")


def trimmed(padding: int) -> Callable[[Any], Any]:
    """Batches [N, length] of ids with no more padding than their longest text needs."""

    def trim(ids: Any) -> Any:
        tokens = tf.reduce_sum(tf.cast(ids != padding, tf.int32), axis=1)
        return ids[:, : tf.maximum(1, tf.reduce_max(tokens))]

    return trim


def usual_length(tokenizer: Tokenizer, texts: list[str]) -> int:
    """What null means for max_length."""
    counts = np.count_nonzero(padded(tokenizer, texts) != padding_of(tokenizer), axis=1)
    return max(4, math.ceil(float(np.quantile(counts, READ_WHOLE))))


def examples(tokenizer: Tokenizer, part: Labelled) -> Examples:
    """Sorted by length, so that batches in this order need little padding."""
    ids: Ids = padded(tokenizer, part.items).astype(np.int32)
    lengths: Integers = np.count_nonzero(ids != padding_of(tokenizer), axis=1)
    order = np.argsort(lengths, kind="stable")
    return Examples(ids[order], part.target[order], lengths[order])
