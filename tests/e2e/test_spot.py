"""A spot job whose machine is taken away in the middle ends as one that nobody disturbed."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelmill_client import Client
from modelmill_client.local import LocalCloud
from tests.kinds import digits_archive

pytestmark = pytest.mark.timeout(240)

# Rows in random order, pictures varied at random, units left out at random, and early stopping.
NET = {"filters": [8], "dense": [16], "epochs": 40, "patience": 40, "augmentation": "all", "dropout": 0.3}


def test_a_spot_job_goes_on_where_it_was_interrupted(cloud: LocalCloud, client: Client, tmp_path: Path) -> None:
    # given the same net trained twice, once on spot capacity
    dataset = client.datasets.upload(digits_archive(tmp_path / "digits.zip"), name="spot-digits", wait=True)
    names = {"spot": {"spot": True}, "steady": {}}
    jobs = {
        name: client.training_jobs.create(
            dataset["dataset_id"], name, algorithm="cnn", hyperparameters=NET, compute=compute, seed=3
        )["job_id"]
        for name, compute in names.items()
    }

    # when the machine of the one is taken away after some epochs
    wait_for_epoch(client, jobs["spot"], 2)
    interrupt(cloud, f"modelmill-{jobs['spot']}-1")
    ended = {name: client.training_jobs.wait(job, timeout=200) for name, job in jobs.items()}

    # then it goes on on another one, and the result is the same to the last bit
    assert ended["spot"]["compute"]["spot"]
    lines = [line["message"] for line in client.training_jobs.logs(jobs["spot"])]
    (resumed,) = [line for line in lines if line.startswith("the fit goes on after epoch")]
    assert 1 <= int(resumed.split()[6]) < 40
    assert ended["spot"]["metrics"] == ended["steady"]["metrics"]
    assert ended["spot"]["progress"]["curve"] == ended["steady"]["progress"]["curve"]


def wait_for_epoch(client: Client, job_id: str, epoch: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        progress: dict[str, Any] = client.training_jobs.get(job_id).get("progress") or {}
        if progress.get("phase") == "fit" and (progress.get("step") or 0) >= epoch:
            return
        time.sleep(0.1)
    raise AssertionError(f"{job_id} has not come to epoch {epoch}")


def interrupt(cloud: LocalCloud, training_job: str) -> None:
    address = re.search(r"AWS\S*\s+(http://\S+)", cloud.log.read_text())
    assert address
    httpx.post(f"{address[1]}/_local/faults", json={"interrupt": [training_job]}, trust_env=False).raise_for_status()
