"""Which tensors of a file are which parts of an encoder, by the names that Hugging Face's transformers gives them."""

from modelmill.base_models.architecture import Architecture
from modelmill.base_models.refusal import refuse
from modelmill.base_models.safetensors_file import StoredTensor

FLOATS = ("F32", "F16", "BF16")

_EMBEDDINGS = {
    "token.table": "embeddings.word_embeddings.weight",
    "position.table": "embeddings.position_embeddings.weight",
    "segment.table": "embeddings.token_type_embeddings.weight",
    "norm.scale": "embeddings.LayerNorm.weight",
    "norm.shift": "embeddings.LayerNorm.bias",
}
_BERT_LAYER = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "joined": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "output_norm": "output.LayerNorm",
}
_DISTILBERT_LAYER = {
    "query": "attention.q_lin",
    "key": "attention.k_lin",
    "value": "attention.v_lin",
    "joined": "attention.out_lin",
    "attention_norm": "sa_layer_norm",
    "inner": "ffn.lin1",
    "outer": "ffn.lin2",
    "output_norm": "output_layer_norm",
}
_LAYERS = {
    "bert": ("encoder.layer.", _BERT_LAYER),
    "roberta": ("encoder.layer.", _BERT_LAYER),
    "distilbert": ("transformer.layer.", _DISTILBERT_LAYER),
}

type Shape = tuple[int, ...]


def parts(architecture: Architecture) -> dict[str, tuple[str, Shape]]:
    """The name and shape of every tensor that an encoder needs.

    By part: `token.table`, `position.table`, `segment.table`, `norm.scale`, `norm.shift`, and of each layer, as in
    `0.query.kernel`, the kernel [out, in] and bias of a dense part or the scale and shift of a normalisation.
    """
    width, inner = architecture.width, architecture.inner
    rows = {"token": architecture.vocabulary, "position": architecture.positions, "segment": architecture.segments}
    found: dict[str, tuple[str, Shape]] = {}
    for part, name in _EMBEDDINGS.items():
        group = part.partition(".")[0]
        if rows.get(group, 1):
            found[part] = (name, (rows[group], width) if group in rows else (width,))
    prefix, names = _LAYERS[architecture.model_type]
    shapes = {"inner": (inner, width), "outer": (width, inner)}
    for layer in range(architecture.layers):
        for part, name in names.items():
            norm, (out, into) = part.endswith("_norm"), shapes.get(part, (width, width))
            weight, bias = ("scale", "shift") if norm else ("kernel", "bias")
            found[f"{layer}.{part}.{weight}"] = (f"{prefix}{layer}.{name}.weight", (out,) if norm else (out, into))
            found[f"{layer}.{part}.{bias}"] = (f"{prefix}{layer}.{name}.bias", (out,))
    return found


def located(architecture: Architecture, header: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Where each part of the encoder lies in a file; what else the file holds is for other tasks.

    Raises:
        Rejected: `tensors`: one is missing, has another shape than config.json says, or is of another dtype.
    """
    prefix = _prefix(architecture, header)
    found: dict[str, StoredTensor] = {}
    for part, (name, shape) in parts(architecture).items():
        tensor = next((header[each] for each in _spellings(prefix + name) if each in header), None)
        if tensor is None:
            refuse("tensors", f"model.safetensors has no tensor {prefix + name!r}, which config.json asks for")
        if tensor.shape != shape:
            got, expected = list(tensor.shape), list(shape)
            refuse("tensors", f"{prefix + name!r} has the shape {got}, by config.json it should have {expected}")
        if tensor.dtype not in FLOATS:
            refuse("tensors", f"{prefix + name!r} is of dtype {tensor.dtype}, expected one of {', '.join(FLOATS)}")
        found[part] = tensor
    return found


def _prefix(architecture: Architecture, header: dict[str, StoredTensor]) -> str:
    """Models with a head for some task have their encoder below a name of its own."""
    below = f"{architecture.model_type}."
    return below if below + _EMBEDDINGS["token.table"] in header else ""


def _spellings(name: str) -> tuple[str, ...]:
    """Files that come from TensorFlow call the two numbers of a normalisation gamma and beta."""
    if "LayerNorm." not in name:
        return (name,)
    return (name, name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"))
