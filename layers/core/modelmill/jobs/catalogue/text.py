"""What can be trained on texts."""

from modelmill.jobs.catalogue.bert import BERT
from modelmill.jobs.catalogue.entry import AUTO, CLASS_WEIGHT, TIME_BUDGET, Algorithm
from modelmill.jobs.catalogue.networks import regularisation, training

_TASKS = ("binary", "multiclass")

_SUBWORDS = {
    "vocabulary": {
        "type": "integer",
        "minimum": 100,
        "maximum": 100_000,
        "default": 16_000,
        "description": "Pieces of words that the tokenizer learns from the training texts.",
    },
    "max_length": {
        "type": ["integer", "null"],
        "minimum": 4,
        "maximum": 1024,
        "default": None,
        "description": "Tokens of a text that are read; null takes what 95 of 100 training texts have, at most 256.",
    },
    "embedding": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1024,
        "default": 128,
        "description": "Numbers that stand for a token.",
        "search": {"choices": [32, 64, 128, 256]},
    },
}

ENTRIES = (
    Algorithm(
        name=AUTO,
        title="Automatic choice",
        summary="Trains text_linear, then networks while the time budget allows, and keeps the best on the validation "
        "texts; with a base model, bert too.",
        kinds=("text",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={"time_budget_s": TIME_BUDGET},
        base_model="optional",
    ),
    Algorithm(
        name="text_linear",
        title="Linear model of n-grams",
        summary="Logistic regression on TF-IDF weights of words and word sequences (of characters in scripts without "
        "spaces). Fast, tiny and strong.",
        kinds=("text",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={
            "tokens": {
                "type": "string",
                "enum": ["words", "characters"],
                "default": "words",
                "description": "What is counted. With words, scripts that are written without spaces, such as Chinese, "
                "still go by character.",
            },
            "ngrams": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 5,
                "default": None,
                "description": "Tokens in sequence that count as one feature, at most; null takes 2, or 4 where most "
                "tokens are single characters.",
                "search": {"low": 1, "high": 5},
            },
            "max_features": {
                "type": "integer",
                "minimum": 10,
                "maximum": 1_000_000,
                "default": 200_000,
                "description": "Features at most: those that occur in most texts.",
            },
            "min_texts": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "default": 2,
                "description": "Training texts that a feature must occur in.",
                "search": {"low": 1, "high": 10, "log": True},
            },
            "C": {
                "type": ["number", "null"],
                "minimum": 1e-4,
                "maximum": 1e4,
                "default": None,
                "description": "Inverse strength of the L2 penalty; null takes what predicts the validation texts "
                "best.",
                "search": {"low": 0.1, "high": 100.0, "log": True},
            },
            "class_weight": CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="lstm",
        title="Recurrent network",
        summary="Embedding and LSTM layers over pieces of words, trained with Keras.",
        kinds=("text",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={
            **_SUBWORDS,
            "units": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 1024},
                "minItems": 1,
                "maxItems": 4,
                "default": [64],
                "description": "Units of each LSTM layer, in each direction.",
                "search": {"choices": [[32], [64], [128], [64, 64]]},
            },
            "bidirectional": {
                "type": "boolean",
                "default": True,
                "description": "Whether texts are read backwards too.",
            },
            "pooling": {
                "type": "string",
                "enum": ["max", "last"],
                "default": "max",
                "description": "What stands for a text: the largest output of each unit, or the last outputs.",
            },
            **training(epochs=20, patience=2, learning_rate=5e-4),
            **regularisation(dropout=0.5),
        },
    ),
    Algorithm(
        name="transformer",
        title="Transformer encoder",
        summary="Self-attention over pieces of words, trained from scratch with Keras.",
        kinds=("text",),
        tasks=_TASKS,
        quantizable=True,
        hyperparameters={
            **_SUBWORDS,
            "layers": {
                "type": "integer",
                "minimum": 1,
                "maximum": 12,
                "default": 1,
                "description": "Encoder layers.",
                "search": {"low": 1, "high": 4},
            },
            "heads": {
                "type": "integer",
                "minimum": 1,
                "maximum": 16,
                "default": 2,
                "description": "Attention heads of a layer; embedding must be a multiple of it.",
            },
            "feed_forward": {
                "type": "integer",
                "minimum": 1,
                "maximum": 4096,
                "default": 128,
                "description": "Units of each layer's dense part.",
                "search": {"choices": [64, 128, 256, 512]},
            },
            **training(epochs=20, patience=2),
            **regularisation(dropout=0.3),
        },
    ),
    BERT,
)
