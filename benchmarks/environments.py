"""Environments of the peers: `.bench/envs/PEER`, each made by uv from `benchmarks/peers/PEER/requirements.txt`.

`python -m benchmarks.environments [PEER ...]` makes them ahead.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".bench"
PEERS = Path(__file__).parent / "peers"
PYTHON = "3.13"
INSTALL_SECONDS = 900


class NotInstalled(Exception):
    """A peer's environment cannot be made; the message is uv's."""


def requirements(peer: str) -> Path:
    return PEERS / peer / "requirements.txt"


def pinned(peer: str) -> str:
    """The version of the peer itself, for tables: its requirements name it first."""
    return requirements(peer).read_text().splitlines()[0].partition("==")[2]


@cache
def python_of(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made when its requirements have changed.

    Raises:
        NotInstalled
    """
    folder = CACHE / "envs" / peer
    python, stamp = folder / "bin" / "python", folder / "requirements.sha256"
    wanted = hashlib.sha256(b"".join(map(Path.read_bytes, _all_requirements(peer)))).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {peer} …", file=sys.stderr, flush=True)
    _uv("venv", "--quiet", "--clear", "--python", PYTHON, str(folder))
    _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "-r", str(requirements(peer)))
    stamp.write_text(wanted)
    return python


def _all_requirements(peer: str) -> list[Path]:
    """The peer's own and those that it includes."""
    own = requirements(peer)
    lines = own.read_text().splitlines()
    return [own, *(own.parent / line.removeprefix("-r ") for line in lines if line.startswith("-r "))]


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools" / "uv")
    try:
        done = subprocess.run(
            [uv, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if done.returncode:
        raise NotInstalled(done.stderr.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", default=sorted(path.name for path in PEERS.iterdir() if path.is_dir()))
    for peer in parser.parse_args().peers:
        try:
            print(f"{peer}: {python_of(peer)}")
        except NotInstalled as error:
            print(f"{peer}: not installed: {error}")


if __name__ == "__main__":
    main()
