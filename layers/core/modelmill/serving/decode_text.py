"""Decode: texts of a request to token ids, with the tokenizer that the model was trained with."""

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from modelmill.errors import FieldError, SignatureMismatch
from modelmill.serving.bundle import BundleBroken
from modelmill.serving.mismatch import MAX_ERRORS, json_name
from modelmill.serving.tensors import Tensors

MAX_CHARACTERS = 131_072
KEY = "text"


class TextDecoder:
    """Instances to `input_ids` int64 [N, longest]."""

    def __init__(self, column: str, tokenizer_file: Path) -> None:
        """Texts may be given under the name of the column that they were learned from, too.

        Raises:
            BundleBroken: the tokenizer cannot be read.
        """
        self._keys = (KEY, column)
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:
            raise BundleBroken(f"the tokenizer cannot be read: {error}") from error

    def __call__(self, instances: list[Any]) -> Tensors:
        """The tensors of objects `{"text": …}`, or of bare texts.

        Raises:
            SignatureMismatch: names the instances that are no texts.
        """
        texts = [self._text(instance) for instance in instances]
        if any(type(text) is not str or len(text) > MAX_CHARACTERS for text in texts):
            raise self._mismatch(texts)
        encoded = [each.ids for each in self._tokenizer.encode_batch_fast(texts)]
        ids = np.array(encoded, dtype=np.int64).reshape(len(texts), -1)
        # Graphs take at least one token, of which padding says nothing.
        return {"input_ids": ids if ids.shape[1] else np.zeros((len(texts), 1), dtype=np.int64)}

    def _text(self, instance: Any) -> Any:
        """The text, or whatever stands in its place."""
        if type(instance) is not dict or len(instance) != 1:
            return instance
        [(key, value)] = instance.items()
        return value if key in self._keys else instance

    def _mismatch(self, texts: list[Any]) -> SignatureMismatch:
        found = ((f"instances[{number}]", self._problem(text)) for number, text in enumerate(texts))
        errors = tuple(FieldError(where, problem) for where, problem in found if problem)[:MAX_ERRORS]
        return SignatureMismatch("; ".join(f"{error.field} {error.message}" for error in errors[:3]), errors=errors)

    def _problem(self, text: Any) -> str | None:
        if type(text) is str:
            over = len(text) > MAX_CHARACTERS
            return f"has {len(text):,} characters; expected at most {MAX_CHARACTERS:,}" if over else None
        return f'must be {{"{KEY}": "…"}} or a string, got {json_name(text)}'
