"""Tiny base models, written as Hugging Face's transformers writes them, and what they compute, by NumPy alone."""

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from tests.ml_tree import Data

_TEXT = "the a film book was is very not good great fine bad awful dull plot actor story and i it this loved hated"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_TEXT.split(), "##s", "##ed", "##ing"]
WIDTH, INNER, HEADS, LAYERS, POSITIONS = 32, 64, 4, 2, 64

GOOD, BAD = ("good", "great", "fine", "loved"), ("bad", "awful", "dull", "hated")

type Array = NDArray[np.float64]


def film_reviews(count: int = 240, seed: int = 0) -> Data:
    """Short texts of WORDS, of two moods by one word of each."""
    random = np.random.default_rng(seed)
    moods = [("good", "bad")[place % 2] for place in range(count)]
    texts = []
    for mood in moods:
        around = [*random.choice(WORDS[5:12], random.integers(3, 9)), random.choice(GOOD if mood == "good" else BAD)]
        texts.append(" ".join(random.permutation(around)))
    return Data({"review": ("text", texts), "mood": ("category", moods)}, "mood", "binary", "text")


def config(**changes: Any) -> dict[str, Any]:
    """A config.json of `model_type` bert; a change to None leaves a name out."""
    sizes = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(WORDS),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "pad_token_id": 0,
    }
    return {name: value for name, value in (sizes | changes).items() if value is not None}


def weights(seed: int = 0, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Random tensors that fit `config()`, besides two that no encoder has."""
    random = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "pooler.dense.weight": (WIDTH, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        place = f"encoder.layer.{layer}."
        dense = dict.fromkeys(("query", "key", "value"), (WIDTH, WIDTH))
        shapes |= {f"{place}attention.self.{name}.weight": shape for name, shape in dense.items()}
        shapes |= {f"{place}attention.self.{name}.bias": (WIDTH,) for name in dense}
        for name, shape in (
            ("attention.output.dense", (WIDTH, WIDTH)),
            ("intermediate.dense", (INNER, WIDTH)),
            ("output.dense", (WIDTH, INNER)),
        ):
            shapes |= {f"{place}{name}.weight": shape, f"{place}{name}.bias": shape[:1]}
        norms += [f"{place}attention.output.LayerNorm", f"{place}output.LayerNorm"]
    made = {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    for norm in norms:
        made[f"{norm}.weight"] = random.normal(1, 0.1, WIDTH).astype(np.float32)
        made[f"{norm}.bias"] = random.normal(0, 0.1, WIDTH).astype(np.float32)
    made["embeddings.position_ids"] = np.arange(POSITIONS)[None]
    return {prefix + name: array for name, array in made.items()}


def write_folder(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A whole folder with a vocab.txt: the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(**changes)), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    save_file(weights(seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def zipped(folder: Path, around: str = "", **more: bytes) -> bytes:
    """The folder as an archive; `more` are further files, by name."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, around + path.name)
        for name, content in more.items():
            archive.writestr(around + name, content)
    return written.getvalue()


def embed(folder: Path, ids: list[int]) -> Array:
    """[width] what a bert folder makes of one text without padding: the mean of its last states, of length 1."""
    sizes = json.loads((folder / "config.json").read_text("utf-8"))
    stored = {name: array.astype(np.float64) for name, array in load_file(folder / "model.safetensors").items()}
    names = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
    states = stored[names[0]][ids] + stored[names[1]][: len(ids)] + stored["embeddings.token_type_embeddings.weight"][0]
    states = _normal(stored, "embeddings.LayerNorm", states)
    for layer in range(sizes["num_hidden_layers"]):
        states = _layer(stored, f"encoder.layer.{layer}.", states, sizes["num_attention_heads"])
    mean: Array = states.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _layer(stored: dict[str, Array], place: str, states: Array, heads: int) -> Array:
    query, key, value = (
        np.stack(np.split(_dense(stored, f"{place}attention.self.{name}", states), heads, axis=1))
        for name in ("query", "key", "value")
    )
    scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[2]))
    mixed = np.concatenate(list(scores / scores.sum(axis=2, keepdims=True) @ value), axis=1)
    states = _normal(
        stored, f"{place}attention.output.LayerNorm", states + _dense(stored, f"{place}attention.output.dense", mixed)
    )
    inner = _dense(stored, f"{place}intermediate.dense", states)
    inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
    return _normal(stored, f"{place}output.LayerNorm", states + _dense(stored, f"{place}output.dense", inner))


def _dense(stored: dict[str, Array], name: str, states: Array) -> Array:
    return states @ stored[f"{name}.weight"].T + stored[f"{name}.bias"]


def _normal(stored: dict[str, Array], name: str, states: Array) -> Array:
    middle = states - states.mean(axis=1, keepdims=True)
    scaled = middle / np.sqrt((middle**2).mean(axis=1, keepdims=True) + 1e-12)
    return scaled * stored[f"{name}.weight"] + stored[f"{name}.bias"]


def tokens(tokenizer: bytes | str, text: str) -> list[int]:
    """The ids of a text by a tokenizer.json, without padding."""
    loaded = Tokenizer.from_str(tokenizer if isinstance(tokenizer, str) else tokenizer.decode())
    loaded.no_padding()
    return list(loaded.encode(text).ids)
