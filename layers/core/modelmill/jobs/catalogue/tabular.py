"""What can be trained on tables."""

from modelmill.jobs.catalogue.entry import AUTO, CLASS_WEIGHT, TIME_BUDGET, Algorithm
from modelmill.jobs.catalogue.networks import ACTIVATION, regularisation, training

_TASKS = ("regression", "binary", "multiclass")

ENTRIES = (
    Algorithm(
        name=AUTO,
        title="Automatic choice",
        summary="Cross-validates the other algorithms within a time budget and trains the best one on all rows.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={"time_budget_s": TIME_BUDGET},
    ),
    Algorithm(
        name="linear",
        title="Linear model",
        summary="Least squares for regression, logistic regression for classification. Tiny, fast, a good baseline.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={
            "C": {
                "type": "number",
                "minimum": 1e-6,
                "maximum": 1e6,
                "default": 1.0,
                "description": "Classification: inverse strength of the L2 penalty.",
            },
            "alpha": {
                "type": "number",
                "minimum": 0,
                "maximum": 1e6,
                "default": 0.0,
                "description": "Regression: strength of the L2 (ridge) penalty; 0 is ordinary least squares.",
            },
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000,
                "default": 1000,
                "description": "Classification: the solver's iterations at most.",
            },
            "class_weight": CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="svm",
        title="Support vector machine",
        summary="The widest margin between classes, or a tube around a curve. Strong on few rows; learns from at most "
        "max_rows.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={
            "kernel": {
                "type": "string",
                "enum": ["rbf", "poly", "linear"],
                "default": "rbf",
                "description": "How alike two rows are: by their distance (rbf), by a polynomial, or linearly.",
            },
            "C": {
                "type": "number",
                "minimum": 1e-4,
                "maximum": 1e4,
                "default": 1.0,
                "description": "Price of a row on the wrong side of the margin; less is smoother.",
            },
            "gamma": {
                "type": ["number", "null"],
                "minimum": 1e-6,
                "maximum": 1e3,
                "default": None,
                "description": "Kernels rbf and poly: how near a row must be to matter; null takes 1 / (columns of the "
                "matrix * their variance).",
            },
            "degree": {
                "type": "integer",
                "minimum": 2,
                "maximum": 6,
                "default": 3,
                "description": "Kernel poly: degree of the polynomial.",
            },
            "coef0": {
                "type": "number",
                "minimum": 0,
                "maximum": 100,
                "default": 1.0,
                "description": "Kernel poly: its constant, the weight of the lower degrees.",
            },
            "epsilon": {
                "type": "number",
                "minimum": 0,
                "maximum": 10,
                "default": 0.1,
                "description": "Regression: errors below it cost nothing, in deviations of the target.",
            },
            "class_weight": CLASS_WEIGHT,
            "max_rows": {
                "type": "integer",
                "minimum": 100,
                "maximum": 50_000,
                "default": 10_000,
                "description": "Of more training rows a random sample is learned from, classes in their shares: time "
                "grows with the square of the rows.",
            },
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000_000,
                "default": 1_000_000,
                "description": "The solver's iterations at most.",
            },
        },
    ),
    Algorithm(
        name="decision_tree",
        title="Decision tree",
        summary="One tree of yes-or-no questions, pruned by the validation rows. Readable; forests predict better.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={
            "criterion": {
                "type": "string",
                "enum": ["gini", "entropy"],
                "default": "gini",
                "description": "Classification: what splits are judged by. For regression it is the squared error.",
            },
            "max_depth": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 64,
                "default": None,
                "description": "Depth at most; null sets no limit.",
            },
            "min_samples_leaf": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1_000_000,
                "default": None,
                "description": "Rows in a leaf at least; null takes 1, more for more than 10,000 rows.",
            },
            "ccp_alpha": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 10,
                "default": None,
                "description": "What a leaf must gain to stay: the share of impurity, or of the target's variance. "
                "0 prunes nothing; null takes what predicts the validation rows best.",
            },
            "class_weight": CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="random_forest",
        title="Random forest",
        summary="Averages decision trees grown on random samples. Robust without tuning; larger than the others.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={
            "trees": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 2000,
                "default": None,
                "description": "Number of trees; null takes 100, fewer for more than 50,000 rows.",
            },
            "max_depth": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 64,
                "default": None,
                "description": "Depth of a tree at most; null sets no limit.",
            },
            "min_samples_leaf": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1_000_000,
                "default": None,
                "description": "Rows in a leaf at least; null takes 1, more for more than 10,000 rows.",
            },
            "max_features": {
                "type": ["string", "null"],
                "enum": ["sqrt", "log2", "all", None],
                "default": None,
                "description": "Features tried at a split; null takes sqrt for classification, all for regression.",
            },
            "class_weight": CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="gradient_boosting",
        title="Gradient boosting",
        summary="Adds small trees, each correcting the ones before it, on histograms. Usually the best on tables.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={
            "max_iter": {
                "type": "integer",
                "minimum": 1,
                "maximum": 5000,
                "default": 100,
                "description": "Boosting rounds (for several classes: trees per class).",
            },
            "learning_rate": {
                "type": "number",
                "minimum": 1e-4,
                "maximum": 1.0,
                "default": 0.1,
                "description": "Share of each tree's correction that is kept.",
            },
            "max_leaf_nodes": {
                "type": "integer",
                "minimum": 2,
                "maximum": 1024,
                "default": 31,
                "description": "Leaves of a tree at most.",
            },
            "max_depth": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 64,
                "default": None,
                "description": "Depth of a tree at most; null sets no limit.",
            },
            "min_samples_leaf": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1_000_000,
                "default": None,
                "description": "Rows in a leaf at least; null takes 20, fewer for less than 400 rows.",
            },
            "l2": {
                "type": "number",
                "minimum": 0,
                "maximum": 1e6,
                "default": 0.0,
                "description": "L2 penalty on the leaves' values.",
            },
            "class_weight": CLASS_WEIGHT,
        },
    ),
    Algorithm(
        name="mlp",
        title="Neural network",
        summary="Dense layers trained with Keras, with early stopping on the validation rows.",
        kinds=("tabular",),
        tasks=_TASKS,
        hyperparameters={
            "layers": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 4096},
                "maxItems": 16,
                "default": [64, 32],
                "description": "Units of each hidden layer; [] is a linear net.",
            },
            "activation": ACTIVATION,
            **training(epochs=100, patience=10),
            **regularisation(),
        },
    ),
)
