"""What config.json says of an encoder of the BERT family."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, NoReturn

from modelmill.base_models.refusal import read_object, refuse

CONFIG_FILE = "config.json"

# https://huggingface.co/docs/transformers: `gelu` is exact, `gelu_new` is its approximation by tanh.
ACTIVATIONS = ("gelu", "gelu_new", "relu")


class Family(NamedTuple):
    """How a model_type writes its sizes, and what its `architectures` begin with; `padding` is its default."""

    classes: str
    sizes: dict[str, str]
    activation: str
    dropout: str
    epsilon: float
    padding: int


_BERT_SIZES = {
    "vocabulary": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "inner": "intermediate_size",
    "positions": "max_position_embeddings",
    "segments": "type_vocab_size",
}
FAMILIES = {
    "bert": Family("Bert", _BERT_SIZES, "hidden_act", "hidden_dropout_prob", 1e-12, 0),
    "roberta": Family("Roberta", _BERT_SIZES, "hidden_act", "hidden_dropout_prob", 1e-12, 1),
    "distilbert": Family(
        "DistilBert",
        {
            "vocabulary": "vocab_size",
            "width": "dim",
            "layers": "n_layers",
            "heads": "n_heads",
            "inner": "hidden_dim",
            "positions": "max_position_embeddings",
        },
        "activation",
        "dropout",
        1e-12,
        0,
    ),
}

# The most of each size.
LIMITS = {
    "vocabulary": 500_000,
    "width": 4_096,
    "layers": 48,
    "heads": 64,
    "inner": 16_384,
    "positions": 8_192,
    "segments": 16,
}

_ONLY = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "sinusoidal_pos_embds": False,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of an encoder.

    vocabulary: tokens that have a vector. width: numbers of a token's vector. inner: units of each layer's dense part.
    positions: rows of the position table, of which the first token takes row `first_position`. segments: rows of the
    table of token types, 0 where there is none. padding: the id of the token that fills up shorter texts.
    """

    model_type: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    segments: int
    activation: str
    epsilon: float
    dropout: float
    padding: int

    @property
    def first_position(self) -> int:
        """RoBERTa counts from behind the id of padding."""
        return self.padding + 1 if self.model_type == "roberta" else 0

    @property
    def max_length(self) -> int:
        """The most tokens of a text."""
        return self.positions - self.first_position

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for people."""
        return asdict(self) | {"max_length": self.max_length}


def read_architecture(content: bytes) -> Architecture:
    """The architecture that a config.json describes.

    Raises:
        Rejected: `unreadable`, `unsupported_architecture` or `config`.
    """
    config = read_object("config.json", content)
    family = _family(config)
    sizes = {name: _size(config, key, name) for name, key in family.sizes.items()}
    sizes.setdefault("segments", 0)
    if sizes["width"] % sizes["heads"]:
        _refuse(f"{family.sizes['width']} is {sizes['width']}, expected a multiple of {sizes['heads']} heads")
    padding = config.get("pad_token_id", family.padding)
    if type(padding) is not int or not 0 <= padding < sizes["vocabulary"]:
        _refuse(f"pad_token_id is {padding!r:.80}, expected a whole number below {sizes['vocabulary']}")
    found = Architecture(
        model_type=config["model_type"],
        activation=_activation(config, family.activation),
        epsilon=_number(config, "layer_norm_eps", family.epsilon, 1e-3),
        dropout=_number(config, family.dropout, 0.1, 0.9),
        padding=padding,
        **sizes,
    )
    if found.max_length < 4:
        _refuse(f"max_position_embeddings is {found.positions}, which leaves no room for a text")
    return found


def _family(config: dict[str, Any]) -> Family:
    name = config.get("model_type")
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        got = repr(name)[:80]
        refuse("unsupported_architecture", f"config.json: model_type is {got}, expected one of {', '.join(FAMILIES)}")
    classes = config.get("architectures") or []
    if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
        _refuse("architectures is not a list of names")
    foreign = [each for each in classes if not each.startswith(family.classes)]
    if foreign:
        message = f"architectures names {foreign[0][:80]!r}, expected {family.classes}…, as {name} models are called"
        refuse("unsupported_architecture", f"config.json: {message}")
    if "auto_map" in config:
        refuse("unsupported_architecture", "config.json: auto_map names code of the model's own, which is never run")
    for key, only in _ONLY.items():
        if config.get(key, only) != only:
            message = f"{key} is {config[key]!r:.80}, expected {only!r}"
            refuse("unsupported_architecture", f"config.json: {message}")
    return family


def _size(config: dict[str, Any], key: str, name: str) -> int:
    value = config.get(key)
    if type(value) is not int or not 1 <= value <= LIMITS[name]:
        _refuse(f"{key} is {value!r:.80}, expected a whole number from 1 to {LIMITS[name]:,}")
    return value


def _number(config: dict[str, Any], key: str, default: float, most: float) -> float:
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        _refuse(f"{key} is {value!r:.80}, expected a number from 0 to {most}")
    return float(value)


def _activation(config: dict[str, Any], key: str) -> str:
    value = config.get(key, "gelu")
    if value not in ACTIVATIONS:
        message = f"{key} is {value!r:.80}, expected one of {', '.join(ACTIVATIONS)}"
        refuse("unsupported_architecture", f"config.json: {message}")
    return str(value)


def _refuse(message: str) -> NoReturn:
    refuse("config", f"config.json: {message}")
