"""Base models trained further on the texts, or frozen below a layer that is learned: https://arxiv.org/abs/1810.04805"""

from functools import partial
from typing import Any

import keras
import numpy as np

from modelmill.errors import InvalidRequest
from modelmill_training.classifier import Labelled, Model, Request
from modelmill_training.failures import TrainingFailure
from modelmill_training.networks import optimizers
from modelmill_training.networks.training import Examples
from modelmill_training.onnx_graph import GraphBuilder, singles
from modelmill_training.text.base_model import BaseModel
from modelmill_training.text.encoder import Encoder
from modelmill_training.text.encoder_graph import write_encoder
from modelmill_training.text.network import LONGEST, Network, examples, learn, trimmed, usual_length
from modelmill_training.text.tokens import with_length

REFITS = False
LIBRARIES = ("keras", "tensorflow", "tokenizers")

# What null means, trained further and frozen.
TUNED = {"learning_rate": 1e-4, "epochs": 4, "patience": 2}
FROZEN = {"learning_rate": 1e-2, "epochs": 100, "patience": 10}


def fit(request: Request) -> Model:
    """See `Builder`.

    Raises:
        InvalidRequest: texts are to be read further than the base model can.
        TrainingFailure: the job has no base model.
    """
    base, given = request.base_model, request.hyperparameters
    if base is None:
        raise TrainingFailure("base_model_missing", "The job names no base model: give the id of one.")
    keras.utils.set_random_seed(request.seed % 2**32)
    _decide(given, base, request.train.items)
    ids, vector = keras.Input((None,), dtype="int32"), keras.Input((base.architecture.width,))
    encoder = Encoder(base, given["pooling"], given["dropout"])
    scores = keras.layers.Dense(request.classes, activation="softmax", name="scores")
    head = keras.Model(vector, scores(keras.layers.Dropout(given["dropout"])(vector)), name="head")
    model = Network(keras.Model(ids, head(encoder(ids))), base.tokenizer, _write)
    optimizer = partial(optimizers.fine_tuning, given, len(request.train.target))
    if given["freeze"]:
        encode = Network(keras.Model(ids, encoder(ids)), base.tokenizer, _write).predict
        train, validation = (_vectors(encode, part) for part in (request.train, request.validation))
        learn(head, optimizer, request, train, validation, algorithm=__name__)
    else:
        train, validation = (examples(base.tokenizer, part) for part in (request.train, request.validation))
        trim = trimmed(base.architecture.padding)
        learn(model.net, optimizer, request, train, validation, algorithm=__name__, prepare=trim)
    return model


def prepare_tokenizer(base: BaseModel, texts: list[str], max_length: int | None) -> int:
    """Let the base model's tokenizer cut texts; the most tokens of one, where null stands for the usual length.

    Raises:
        InvalidRequest: the base model cannot read so far.
    """
    sizes, longest = base.architecture, base.architecture.max_length
    if max_length is not None and max_length > longest:
        raise InvalidRequest(f"max_length got {max_length}, expected at most {longest}, what the base model can read")
    with_length(base.tokenizer, min(LONGEST, longest), sizes.padding)
    decided = max_length or usual_length(base.tokenizer, texts)
    with_length(base.tokenizer, decided, sizes.padding)
    return decided


def _decide(given: dict[str, Any], base: BaseModel, texts: list[str]) -> None:
    usual = FROZEN if given["freeze"] else TUNED
    given |= {name: value for name, value in usual.items() if given[name] is None}
    if given["dropout"] is None:
        given["dropout"] = base.architecture.dropout
    given["max_length"] = prepare_tokenizer(base, texts, given["max_length"])


def _vectors(encode: Any, part: Labelled) -> Examples:
    return Examples(encode(part.items).astype(np.float32), part.target)


def _write(net: Any, builder: GraphBuilder, ids: str) -> str:
    encoder, head = net.get_layer("encoder"), net.get_layer("head")
    vector = write_encoder(builder, ids, encoder.architecture, encoder.weights_by_part(), encoder.pooling)
    weights, bias = (builder.constant(singles(array)) for array in head.get_layer("scores").get_weights())
    return builder.node("Softmax", builder.node("Gemm", vector, weights, bias), axis=1)
