"""Running jobs."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from modelmill_training.__main__ import main
from tests.ml_tree import Data, Tree, write_tree

Train = Callable[..., Tree]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Runs a job in this process, which saves importing scikit-learn for each.

    checkpoints: whether it keeps its state, or the folder of an earlier job that it goes on from.
    """
    numbers = count()

    def run(data: Data, algorithm: str = "linear", checkpoints: bool | Path = False, **spec: object) -> Tree:
        tree = write_tree(tmp_path / f"ml{next(numbers)}", data, algorithm, **spec)
        if isinstance(checkpoints, Path):
            (tree.root / "checkpoints").symlink_to(checkpoints)
        elif checkpoints:
            (tree.root / "checkpoints").mkdir()
        monkeypatch.setenv("MODELMILL_ML_ROOT", str(tree.root))
        # Several OpenMP threads wait by spinning, which takes ten times longer beside other work on the machine.
        with threadpool_limits(1, user_api="openmp"):
            main()
        return tree

    return run
