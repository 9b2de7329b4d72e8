"""The base model that a job starts from: its sizes, its weights and its tokenizer."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from modelmill.base_models.architecture import CONFIG_FILE, Architecture, read_architecture
from modelmill.base_models.refusal import read_object
from modelmill.base_models.safetensors_file import WEIGHTS_FILE, StoredTensor, read_header
from modelmill.base_models.tensors import located
from modelmill.base_models.tokenizer_file import (
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
    check_switches,
    read_vocabulary,
)
from modelmill.datasets.schema import Rejected
from modelmill_training.failures import TrainingFailure
from modelmill_training.text.tokens import with_length

BYTES_OF_A_NUMBER = 4
# Such as [CLS] and [SEP].
MAX_ADDED_TOKENS = 2

type Weights = dict[str, NDArray[np.float32]]


class BaseModel(NamedTuple):
    """weights: every part that `base_models.tensors.parts` lists, kernels as [in, out]."""

    architecture: Architecture
    weights: Weights
    tokenizer: Tokenizer

    @property
    def bytes(self) -> int:
        """What its numbers take in a graph."""
        return BYTES_OF_A_NUMBER * sum(array.size for array in self.weights.values())


def load(folder: Path) -> BaseModel:
    """Read a folder that was accepted as a base model.

    Raises:
        TrainingFailure: it cannot be used after all.
    """
    try:
        architecture = read_architecture((folder / CONFIG_FILE).read_bytes())
        tensors = located(architecture, read_header(folder / WEIGHTS_FILE))
        tokenizer = _tokenizer(folder, architecture)
    except Rejected as error:
        raise _unusable(str(error)) from error
    weights = {part: _array(folder / WEIGHTS_FILE, part, tensor) for part, tensor in tensors.items()}
    broken = [part for part, array in weights.items() if not np.isfinite(array).all()]
    if broken:
        raise _unusable(f"its weights {broken[0]} are not all finite numbers")
    return BaseModel(architecture, weights, tokenizer)


def _array(path: Path, part: str, tensor: StoredTensor) -> NDArray[np.float32]:
    dtype = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[tensor.dtype]
    stored = np.fromfile(path, dtype, tensor.size, offset=tensor.start).reshape(tensor.shape)
    if tensor.dtype == "BF16":
        # The upper half of a single.
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    array = stored.astype(np.float32)
    return np.ascontiguousarray(array.T) if part.endswith(".kernel") else array


def _tokenizer(folder: Path, architecture: Architecture) -> Tokenizer:
    whole = folder / TOKENIZER_FILE
    try:
        made = Tokenizer.from_file(str(whole)) if whole.is_file() else _word_pieces(folder, architecture)
        with_length(made, architecture.max_length, architecture.padding)
        added, ids = made.num_special_tokens_to_add(is_pair=False), made.encode("a").ids
    except Rejected:
        raise
    except Exception as error:
        raise _unusable(f"its tokenizer cannot be used: {str(error)[:200]}") from error
    if max(ids, default=0) >= architecture.vocabulary:
        raise _unusable(f"its tokenizer gives the token {max(ids)}, the model has {architecture.vocabulary}")
    if added > MAX_ADDED_TOKENS:
        raise _unusable(f"its tokenizer adds {added} tokens to every text, expected at most {MAX_ADDED_TOKENS}")
    return made


def _word_pieces(folder: Path, architecture: Architecture) -> Tokenizer:
    """BERT's own tokenizer: https://arxiv.org/abs/1810.04805"""
    settings = folder / TOKENIZER_CONFIG_FILE
    switches = check_switches(read_object(settings.name, settings.read_bytes())) if settings.is_file() else {}
    vocabulary = {token: place for place, token in enumerate(read_vocabulary(folder / VOCABULARY_FILE, architecture))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no secret
    made.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=switches.get("tokenize_chinese_chars") is not False,
        strip_accents=switches.get("strip_accents"),
        lowercase=switches.get("do_lower_case") is not False,
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends: list[Any] = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return made


def _unusable(message: str) -> TrainingFailure:
    return TrainingFailure("base_model_unusable", f"The base model cannot be used: {message}.")
