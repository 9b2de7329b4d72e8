"""A net trained on several machines is the net that one machine trains."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelmill_training.cluster import Cluster
from modelmill_training.environment import Environment
from tests.kinds import review
from tests.ml_tree import Data, Tree, progress_lines, run_entry, write_tree

# Units left out at random would be others on each machine.
NET = {"vocabulary": 300, "embedding": 16, "feed_forward": 16, "epochs": 4, "patience": 2, "dropout": 0.0, "l2": 0.001}


def job(folder: Path) -> Tree:
    """Texts of many lengths, so that shares of a batch are padded to different ones."""
    random = np.random.default_rng(1)
    moods = [str(random.choice(["good", "bad"])) for _ in range(150)]
    texts = [" ".join(review(mood, random) for _ in range(random.integers(1, 6))) for mood in moods]
    data = Data({"text": ("text", texts), "mood": ("category", moods)}, "mood", "binary", "text")
    tree = write_tree(folder, data, "transformer", hyperparameters=NET)
    (folder / "checkpoints").mkdir()
    return tree


def start(tree: Tree, number: int, addresses: list[str]) -> "subprocess.Popen[str]":
    """The start of one of the machines, as the local SageMaker does it."""
    config = {"current_host": f"algo-{number + 1}", "hosts": [f"algo-{each + 1}" for each in range(len(addresses))]}
    (tree.root / "input/config").mkdir(parents=True)
    (tree.root / "input/config/resourceconfig.json").write_text(json.dumps(config))
    variables = {"MODELMILL_ML_ROOT": str(tree.root), "MODELMILL_ADDRESSES": ",".join(addresses)}
    command = [sys.executable, "-m", "modelmill_training"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**os.environ, **variables}, text=True, **pipes)


def free_addresses(count: int) -> list[str]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    for listener in listeners:
        listener.close()
    return addresses


def test_two_machines_train_the_net_of_one_and_only_the_chief_writes_it(tmp_path: Path) -> None:
    # given a job that one machine has done, with a tokenizer that no machine would learn again
    alone, chief, other = (job(tmp_path / name) for name in ("alone", "chief", "other"))
    assert run_entry(alone).returncode == 0
    shutil.copytree(alone.root / "checkpoints", chief.root / "checkpoints", dirs_exist_ok=True)

    # when two machines do it, only the first of which knows the tokenizer
    addresses = free_addresses(2)
    machines = [start(tree, number, addresses) for number, tree in enumerate((chief, other))]
    printed = [machine.communicate(timeout=200) for machine in machines]

    # then both end well, and the bundle and the checkpoint are the chief's alone
    assert [machine.returncode for machine in machines] == [0, 0], printed
    assert not list((other.root / "model").iterdir())
    assert not list((other.root / "checkpoints").iterdir())
    assert len(list((chief.root / "checkpoints").iterdir())) == len(list((alone.root / "checkpoints").iterdir())) + 1
    assert printed[1][0].splitlines()[-1].startswith("machine 2 of 2 is done")
    # and the models agree, in every epoch's losses and in what they answer
    curves = [
        [line["metrics"] for line in progress_lines(output) if line.get("phase") == "fit" and line["step"]]
        for output, _ in printed
    ]
    assert curves[0] == curves[1]
    assert chief.manifest.parity["passed"]
    scores = [np.array(tree.manifest.reference["scores"]) for tree in (alone, chief)]
    np.testing.assert_allclose(*scores, atol=1e-4)
    assert chief.manifest.metrics["test"]["log_loss"] == pytest.approx(
        alone.manifest.metrics["test"]["log_loss"], abs=1e-4
    )


def test_machines_are_found_where_sagemaker_tells_them(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    assert not Cluster.find(environment, {}).several

    hosts = [f"algo-{number}" for number in (10, 2, 1)]
    environment.resource_file.parent.mkdir(parents=True)
    environment.resource_file.write_text(json.dumps({"current_host": "algo-10", "hosts": hosts}))
    found = Cluster.find(environment, {})

    assert found.addresses == ("algo-1:2222", "algo-2:2222", "algo-10:2222")
    assert (found.rank, found.several, found.chief) == (2, True, False)
    assert json.loads(found.tf_config()) == {
        "cluster": {"worker": list(found.addresses)},
        "task": {"type": "worker", "index": 2},
    }
