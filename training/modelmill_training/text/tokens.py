"""From text to token ids, by the tokenizers library; the same tokenizer.json serves in training and in `infer`."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from modelmill_training.data import Integers

PADDING, UNKNOWN = "[PAD]", "[UNK]"
PADDING_ID, UNKNOWN_ID = 0, 1
FIRST_WORD = 2

# Scripts that are written without spaces between words: every character is a token. So is every other symbol.
_SINGLE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|[^\p{L}\p{M}\p{N}_']"
MAX_WORDS = 500_000

Ids = NDArray[np.int64]


def word_tokenizer(texts: Iterable[str], choice: str, min_texts: int, max_length: int) -> Tokenizer:
    """Words or characters that occur at least `min_texts` times in the training texts; longer texts are cut."""
    tokenizer = Tokenizer(models.WordLevel({PADDING: PADDING_ID, UNKNOWN: UNKNOWN_ID}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    pattern = Regex(_SINGLE if choice == "words" else r"[\s\S]")
    first = pre_tokenizers.WhitespaceSplit() if choice == "words" else pre_tokenizers.Metaspace(split=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, pre_tokenizers.Split(pattern, "isolated")])
    trainer = trainers.WordLevelTrainer(
        vocab_size=MAX_WORDS, min_frequency=min_texts, special_tokens=_special_tokens(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return with_length(tokenizer, max_length)


def subword_tokenizer(texts: Iterable[str], vocabulary: int, max_length: int) -> Tokenizer:
    """Frequent pieces of words, learned from the training texts; scripts without spaces need no segmentation."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Split(Regex(r"[^\p{L}\p{M}▁]"), "isolated")]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=_special_tokens(), unk_token=UNKNOWN, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return with_length(tokenizer, max_length)


def with_length(tokenizer: Tokenizer, max_length: int, padding_id: int = PADDING_ID) -> Tokenizer:
    """Cuts longer texts and fills shorter ones up to the longest of their batch."""
    tokenizer.enable_truncation(max_length)
    tokenizer.enable_padding(pad_id=padding_id, pad_token=tokenizer.id_to_token(padding_id) or PADDING)
    return tokenizer


def padding_of(tokenizer: Tokenizer) -> int:
    """The id that shorter texts are filled up with."""
    padding: dict[str, int] = tokenizer.padding or {}
    return padding["pad_id"]


def padded(tokenizer: Tokenizer, texts: list[str]) -> Ids:
    """[N, longest] token ids, at least one column."""
    encoded = [each.ids for each in tokenizer.encode_batch_fast(texts)]
    ids = np.array(encoded, dtype=np.int64).reshape(len(texts), -1)
    return ids if ids.shape[1] else np.full((len(texts), 1), padding_of(tokenizer), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of some texts one after the other: `ids` [tokens], and `text` [tokens] the text of each."""

    texts: int
    ids: Ids
    text: Integers


def joined(tokenizer: Tokenizer, texts: list[str]) -> Tokens:
    """The tokens of each text, without padding, which a long text makes expensive."""
    tokenizer.no_padding()
    encoded = [each.ids for each in tokenizer.encode_batch_fast(texts)]
    tokenizer.enable_padding(pad_id=PADDING_ID, pad_token=PADDING)
    text = np.repeat(np.arange(len(texts)), [len(ids) for ids in encoded])
    return Tokens(len(texts), np.fromiter(chain.from_iterable(encoded), np.int64, len(text)), text)


def _special_tokens() -> list[AddedToken]:
    return [AddedToken(PADDING, special=True), AddedToken(UNKNOWN, special=True)]
