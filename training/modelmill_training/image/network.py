"""What all networks on pictures share: their training, and their form as a model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from modelmill_training.classifier import Labelled, Request
from modelmill_training.data import Floats
from modelmill_training.image.augmentation import augment
from modelmill_training.image.prepare import Pixels
from modelmill_training.networks import export, optimizers
from modelmill_training.networks.training import Examples, Schedule, Trainer, class_weights
from modelmill_training.onnx_graph import GraphBuilder

EVALUATION_BATCH = 256
LIBRARIES = ("keras", "pillow", "tensorflow", "tf2onnx")


@dataclass(frozen=True, slots=True)
class Network:
    """A fitted net."""

    net: Any

    def predict(self, items: Pixels) -> Floats:
        """See `Model`."""
        return export.predict(self.net, items, EVALUATION_BATCH)

    def write(self, builder: GraphBuilder, pixels: str) -> str:
        """See `Model`."""
        return builder.embed(export.to_onnx(self.net), pixels)


def fit(request: Request, build: Callable[[Request], Any]) -> Network:
    """A net that `build` makes, trained."""
    keras.utils.set_random_seed(request.seed % 2**32)
    given, (height, width, channels) = request.hyperparameters, request.train.items.shape[1:]
    given |= {"size": max(height, width), "channels": channels}
    optimizers.decide(given, len(request.train.target))
    net = build(request)
    trainer = Trainer(
        net,
        partial(optimizers.optimizer, given, len(request.train.target)),
        classes=request.classes,
        identity={"algorithm": build.__module__, **given},
        weights=class_weights(request.train.target, request.classes, given["class_weight"]),
        evaluation_batch=EVALUATION_BATCH,
        half_precision=True,
        vary=augment(given["augmentation"]),
    )
    schedule = Schedule(given["epochs"], given["batch_size"], given["patience"], request.seed, request.seconds)
    trainer.fit(_examples(request.train), _examples(request.validation), schedule, request.progress, request.report)
    return Network(net)


def inputs(request: Request) -> tuple[Any, Any]:
    """The input of pixels from 0 to 255, and the same from -1 to 1."""
    pixels = keras.Input(request.train.items.shape[1:], dtype="uint8", name="pixels")
    return pixels, keras.layers.Rescaling(1 / 127.5, -1.0)(pixels)


def _examples(part: Labelled) -> Examples:
    return Examples(part.items, part.target)
