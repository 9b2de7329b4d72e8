"""Decode: which decoder reads the instances of a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelmill.models.manifest import TOKENIZER_FILE, Manifest
from modelmill.serving.decode_columns import TabularDecoder
from modelmill.serving.decode_tensors import TensorDecoder
from modelmill.serving.tensors import Tensors

type Decoder = Callable[[list[Any]], Tensors]


def _tabular(manifest: Manifest, _folder: Path) -> Decoder:
    return TabularDecoder(manifest.signature)


def _tensor(manifest: Manifest, _folder: Path) -> Decoder:
    return TensorDecoder(manifest.signature)


def _timeseries(manifest: Manifest, _folder: Path) -> Decoder:
    from modelmill.serving.decode_series import SeriesDecoder

    return SeriesDecoder(manifest.signature)


def _text(manifest: Manifest, folder: Path) -> Decoder:
    from modelmill.serving.decode_text import TextDecoder

    return TextDecoder(manifest.signature.features[0].name, folder / TOKENIZER_FILE)


def _image(manifest: Manifest, _folder: Path) -> Decoder:
    from modelmill.serving.decode_image import ImageDecoder

    return ImageDecoder(manifest.signature)


# By the kind of a signature; what only one kind needs is imported by its function.
DECODERS: dict[str, Callable[[Manifest, Path], Decoder]] = {
    "tabular": _tabular,
    "tensor": _tensor,
    "timeseries": _timeseries,
    "text": _text,
    "image": _image,
}
