"""What can be done with a base model."""

from modelmill.jobs.catalogue.entry import CLASS_WEIGHT, Algorithm

BERT = Algorithm(
    name="bert",
    title="Pretrained encoder",
    summary="An encoder of the BERT family that was uploaded as a base model, trained further on the texts with Keras; "
    "for embedding, served as it is, of which only pooling and max_length decide.",
    kinds=("text",),
    tasks=("binary", "multiclass", "embedding"),
    quantizable=True,
    base_model="required",
    hyperparameters={
        "freeze": {
            "type": "boolean",
            "default": False,
            "description": "Whether the encoder stays as it was uploaded, so that only what decides on top of it is "
            "learned: many times faster, and rarely as good.",
        },
        "pooling": {
            "type": "string",
            "enum": ["mean", "first"],
            "default": "mean",
            "description": "What stands for a text: the mean of its tokens, or its first token ([CLS]).",
            "search": {"choices": ["mean", "first"], "tasks": ["binary", "multiclass"]},
        },
        "max_length": {
            "type": ["integer", "null"],
            "minimum": 4,
            "maximum": 1024,
            "default": None,
            "description": "Tokens of a text that are read, at most what the base model can; null takes what 95 of 100 "
            "training texts have, at most 256.",
        },
        "learning_rate": {
            "type": ["number", "null"],
            "minimum": 1e-7,
            "maximum": 1,
            "default": None,
            "description": "Reached after a tenth of all steps, and then falling to zero along a line; null takes "
            "1e-4, or 1e-2 with freeze.",
            "search": {"low": 1e-5, "high": 1e-3, "log": True, "tasks": ["binary", "multiclass"]},
        },
        "epochs": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 1000,
            "default": None,
            "description": "Passes over the training texts at most; null takes 4, or 100 with freeze.",
        },
        "batch_size": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1024,
            "default": 16,
            "description": "Texts per step.",
        },
        "patience": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": 1000,
            "default": None,
            "description": "Epochs without a better validation loss before training stops and the best weights are "
            "restored; 0 trains all epochs and keeps the last weights; null takes 2, or 10 with freeze.",
        },
        "weight_decay": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.01,
            "description": "Share by which each step makes weights smaller, of AdamW, in units of the learning rate.",
        },
        "dropout": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 0.9,
            "default": None,
            "description": "Share of numbers left out at random while learning; null takes the base model's own.",
            "search": {"low": 0.0, "high": 0.5, "tasks": ["binary", "multiclass"]},
        },
        "class_weight": CLASS_WEIGHT,
    },
)
