"""What a job that is ended leaves for its next start; `tests/e2e/test_spot.py` ends one in the middle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelmill_training.networks import checkpoints
from tests.ml_tree import mixed
from tests.training.conftest import Train

# What TensorFlow and its ONNX export warn of in their own code.
pytestmark = [pytest.mark.filterwarnings(f"ignore::{name}Warning") for name in ("Deprecation", "Future", "User")]


def test_every_fit_of_a_search_has_a_checkpoint_of_its_own(train: Train) -> None:
    # given a search that is over, with two of its checkpoints lost: one is damaged and one is gone
    settings: dict[str, Any] = {
        "hyperparameters": {"epochs": 4, "layers": [8], "batch_size": 64},
        "tuning": {"trials": 1, "timeout_s": 600, "metric": "roc_auc"},
    }
    first = train(mixed(300), "mlp", checkpoints=True, **settings)
    kept = {file: file.stat().st_ino for file in sorted((first.root / "checkpoints").iterdir())}
    damaged, gone, *_ = kept
    damaged.write_bytes(damaged.read_bytes()[:100])
    gone.unlink()

    # when the job runs again on what is left
    again = train(mixed(300), "mlp", checkpoints=first.root / "checkpoints", **settings)

    # then it finds the same, and only what was lost is done anew
    assert len(kept) == 3 + 1
    assert again.manifest.reference == first.manifest.reference
    found = [tree.manifest.tuning or {} for tree in (first, again)]
    assert found[0] | {"seconds": 0} == found[1] | {"seconds": 0}
    now = {file: file.stat().st_ino for file in (first.root / "checkpoints").iterdir()}
    assert now.keys() == kept.keys()
    assert {file for file in kept if now[file] != kept[file]} <= {damaged, gone}
    checkpoints.read(damaged)


@pytest.mark.parametrize("damage", [lambda content: content[:-5], lambda content: b"", lambda content: content[::-1]])
def test_a_damaged_file_is_not_taken_for_a_checkpoint(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "x.checkpoint"
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 2))]
    checkpoints.write(path, {"epoch": 3}, arrays)
    facts, found = checkpoints.read(path)
    assert facts == {"epoch": 3}
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(found, arrays, strict=True))

    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(checkpoints.Damaged):
        checkpoints.read(path)
    assert list(tmp_path.iterdir()) == [path]


def test_fits_are_told_apart_by_what_they_are_asked_and_what_they_learn_from() -> None:
    rows = np.arange(12.0).reshape(3, 4)
    first = checkpoints.fingerprint({"algorithm": "mlp", "epochs": 3}, [rows])

    assert checkpoints.fingerprint({"epochs": 3, "algorithm": "mlp"}, [rows.copy()]) == first
    others = [
        checkpoints.fingerprint({"algorithm": "mlp", "epochs": 4}, [rows]),
        checkpoints.fingerprint({"algorithm": "mlp", "epochs": 3}, [rows + 1]),
        checkpoints.fingerprint({"algorithm": "mlp", "epochs": 3}, [rows.reshape(4, 3)]),
        checkpoints.fingerprint({"algorithm": "mlp", "epochs": 3}, [rows.astype(np.float32)]),
    ]
    assert len({first, *others}) == 5
