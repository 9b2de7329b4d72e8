"""Models for the clients of the Open Inference Protocol: whatever can be trained, and uploads of plain tensors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from modelmill.jobs.catalogue import AUTO, algorithms
from modelmill.models.admission import admit_bundle, admit_upload
from modelmill.models.manifest import MODEL_FILE
from modelmill.models.signature import Tensor
from modelmill.serving.tensors import CODECS
from tests.bundles import identity_of, model_of
from tests.ml_tree import Data, Tree, mixed, run_entry, write_tree

# Every algorithm for tables with every task.
TRAINED = [(name, task) for name, entry in algorithms("tabular").items() for task in entry.tasks if name != AUTO]
QUICK: dict[str, dict[str, Any]] = {
    "random_forest": {"trees": 5},
    "gradient_boosting": {"max_iter": 5},
    "mlp": {"layers": [8], "epochs": 2},
    "kmeans": {"clusters": 3},
    "isolation_forest": {"trees": 5, "quantile": 0.7},
    "autoencoder": {"layers": [8], "epochs": 2, "quantile": 0.7},
}
LABELS = ["cat", "dog", "eel"]
ROWS = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)

# By name and version.
type Folders = dict[tuple[str, int], Path]


def train_all(root: Path) -> dict[str, Tree]:
    """A table of numbers, categories and holes, learned by every algorithm for every task, and admitted."""
    trees = {
        model_name(algorithm, task): write_tree(
            root / f"{algorithm}-{task}", table(task), algorithm, hyperparameters=QUICK.get(algorithm, {})
        )
        for algorithm, task in TRAINED
    }
    result = run_entry(*trees.values())
    failures = {name: tree.failure for name, tree in trees.items() if tree.failure}
    assert (result.returncode, failures) == (0, {}), result.stderr
    for tree in trees.values():
        admit_bundle(tree.root / "model")
    return trees


def model_name(algorithm: str, task: str) -> str:
    return f"{algorithm}-{task}".replace("_", "-")


def table(task: str) -> Data:
    """Rows for a task; three classes are cut out of a regression."""
    if task in ("clustering", "anomaly_detection"):
        return replace(mixed(150), task=task, target=None)
    if task != "multiclass":
        return mixed(150, task)
    numbers = mixed(150, "regression")
    bins = [None if value is None else int(np.digitize(value, [0, 1])) for value in numbers.values("outcome")]
    words = [None if place is None else ("löw", "mid", "high")[place] for place in bins]
    return replace(numbers.with_columns(outcome=("category", words)), task=task)


def upload_all(root: Path) -> Folders:
    """`every` gives all datatypes back, `forest` is a classifier of ROWS, `times` multiplies by 2 and, later, by 3."""
    every, _ = identity_of(*(Tensor(f"in_{datatype}", datatype, [-1, 2]) for datatype in CODECS))
    forest = RandomForestClassifier(5, random_state=0).fit(ROWS, np.arange(len(ROWS)) % len(LABELS))
    return {
        ("every", 1): upload(root / "every-1", every),
        ("forest", 1): upload(root / "forest-1", to_onnx(forest, ROWS[:1], options={"zipmap": False}), LABELS),
        ("times", 1): upload(root / "times-1", times(2)),
        ("times", 2): upload(root / "times-2", times(3)),
    }


def upload(folder: Path, model: onnx.ModelProto, labels: list[str] | None = None) -> Path:
    """The bundle that admission makes of a file."""
    folder.mkdir()
    (folder / MODEL_FILE).write_bytes(model.SerializeToString())
    admit_upload(folder, labels)
    return folder


def times(factor: int) -> onnx.ModelProto:
    """Multiplies rows of three numbers."""
    value = helper.make_tensor_value_info
    return model_of(
        [helper.make_node("Mul", ["x", "factor"], ["y"])],
        [value("x", TensorProto.FLOAT, ["N", 3])],
        [value("y", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(np.float32(factor), "factor")],
    )
