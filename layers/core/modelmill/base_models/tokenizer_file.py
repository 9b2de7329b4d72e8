"""The tokenizer of a base model, which `infer` runs on every text: only parts that are known to be harmless.

Parts with patterns of their own are refused: a pattern can be made to take for ever, and a replacement to take all
memory.
"""

from pathlib import Path
from typing import Any, NoReturn

from modelmill.base_models.architecture import Architecture
from modelmill.base_models.refusal import read_object, refuse

TOKENIZER_FILE, VOCABULARY_FILE, TOKENIZER_CONFIG_FILE = "tokenizer.json", "vocab.txt", "tokenizer_config.json"

MAX_ADDED_TOKENS = 1_000
MAX_TOKEN_CHARACTERS = 1_000
MAX_WORD_CHARACTERS = 1_000
MAX_STEPS = 20

# By the key of tokenizer.json.
ALLOWED = {
    "normalizer": ("BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "StripAccents", "Strip"),
    "pre_tokenizer": ("BertPreTokenizer", "ByteLevel", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit"),
    "post_processor": ("BertProcessing", "ByteLevel", "RobertaProcessing", "TemplateProcessing"),
}
# Where a sequence of several has them.
_STEPS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}
MODELS = ("WordPiece", "BPE")
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
# Of tokenizer_config.json, for a vocab.txt.
SWITCHES = ("do_lower_case", "tokenize_chinese_chars", "strip_accents")


def check_tokenizer(folder: Path, architecture: Architecture) -> None:
    """Pass where the folder's tokenizer.json, or else its vocab.txt, names only tokens that the model has.

    Raises:
        Rejected: `unreadable` or `tokenizer`.
    """
    whole = folder / TOKENIZER_FILE
    if whole.is_file():
        _check_whole(read_object(whole.name, whole.read_bytes()), architecture)
        return
    if architecture.model_type == "roberta":
        _refuse("a roberta model needs its tokenizer.json, which vocab.txt cannot stand for")
    read_vocabulary(folder / VOCABULARY_FILE, architecture)
    settings = folder / TOKENIZER_CONFIG_FILE
    if settings.is_file():
        check_switches(read_object(settings.name, settings.read_bytes()))


def read_vocabulary(path: Path, architecture: Architecture) -> list[str]:
    """The tokens of a vocab.txt, one a line, in the order of their ids.

    Raises:
        Rejected: it is no text, names a token twice or too many, or lacks a special one.
    """
    try:
        tokens = path.read_text("utf-8").rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        refuse("unreadable", f"vocab.txt is not text in UTF-8: {str(error)[:100]}")
    tokens = [token.rstrip("\r") for token in tokens]
    if len(tokens) > architecture.vocabulary:
        _refuse(f"vocab.txt has {len(tokens):,} lines, config.json has a vocab_size of {architecture.vocabulary:,}")
    if len(set(tokens)) < len(tokens):
        _refuse("vocab.txt names a token twice")
    missing = [token for token in SPECIAL_TOKENS if token not in tokens]
    if missing:
        _refuse(f"vocab.txt lacks {', '.join(missing)}")
    return tokens


def check_switches(settings: dict[str, Any]) -> dict[str, bool | None]:
    """Those settings of tokenizer_config.json that say how texts are normalised.

    Raises:
        Rejected: one is neither true nor false.
    """
    switches = {name: settings[name] for name in SWITCHES if name in settings}
    for name, value in switches.items():
        if not isinstance(value, bool | None):
            _refuse(f"tokenizer_config.json: {name} is {value!r:.80}, expected true, false or null")
    return switches


def _check_whole(content: dict[str, Any], architecture: Architecture) -> None:
    for key in ALLOWED:
        _check_part(key, content.get(key))
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") not in MODELS:
        kind = model.get("type") if isinstance(model, dict) else model
        _refuse(f"tokenizer.json: the model is {kind!r:.80}, expected one of {', '.join(MODELS)}")
    if model.get("dropout"):
        _refuse("tokenizer.json: the model has a dropout, so that a text would be read differently each time")
    longest = model.get("max_input_chars_per_word", 100)
    if type(longest) is not int or not 1 <= longest <= MAX_WORD_CHARACTERS:
        _refuse(f"tokenizer.json: max_input_chars_per_word is {longest!r:.80}, expected 1 to {MAX_WORD_CHARACTERS}")
    vocabulary, added = model.get("vocab"), content.get("added_tokens") or []
    if not isinstance(vocabulary, dict) or not isinstance(added, list) or len(added) > MAX_ADDED_TOKENS:
        _refuse(f"tokenizer.json: expected a vocabulary, and at most {MAX_ADDED_TOKENS:,} added tokens")
    if not all(isinstance(each, dict) for each in added):
        _refuse("tokenizer.json: an added token is no object")
    unknown = model.get("unk_token")
    if unknown is not None and (not isinstance(unknown, str) or unknown not in vocabulary):
        _refuse(
            f"tokenizer.json: the model reads what it does not know as {unknown!r:.80}, which is not in its vocabulary"
        )
    known = [*vocabulary.items(), *((each.get("content"), each.get("id")) for each in added)]
    for token, place in known:
        _check_token(token, place, architecture.vocabulary)
    if architecture.padding not in {place for _, place in known}:
        _refuse(f"tokenizer.json has no token of the id {architecture.padding}, which config.json pads texts with")


def _check_part(key: str, part: Any) -> None:
    match part:
        case None:
            return
        case {"type": "Sequence"}:
            steps = part.get(_STEPS[key])
        case _:
            steps = [part]
    if not isinstance(steps, list) or len(steps) > MAX_STEPS:
        _refuse(f"tokenizer.json: the {key} is no sequence of at most {MAX_STEPS} steps")
    for step in steps:
        kind = step.get("type") if isinstance(step, dict) else step
        if kind not in ALLOWED[key]:
            _refuse(f"tokenizer.json: the {key} is {kind!r:.80}, expected one of {', '.join(ALLOWED[key])}")


def _check_token(token: Any, place: Any, vocabulary: int) -> None:
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARACTERS:
        _refuse(f"tokenizer.json: {token!r:.80} is no token of at most {MAX_TOKEN_CHARACTERS:,} characters")
    if type(place) is not int or not 0 <= place < vocabulary:
        _refuse(
            f"tokenizer.json: {token!r:.80} has the id {place!r:.80}; config.json has a vocab_size of {vocabulary:,}"
        )


def _refuse(message: str) -> NoReturn:
    refuse("tokenizer", message)
