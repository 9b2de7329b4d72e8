"""From the archive of a Hugging Face folder to the few files of it that are needed, each of them checked."""

import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from modelmill.base_models.architecture import CONFIG_FILE, Architecture, read_architecture
from modelmill.base_models.refusal import refuse
from modelmill.base_models.safetensors_file import WEIGHTS_FILE, read_header
from modelmill.base_models.tensors import located
from modelmill.base_models.tokenizer_file import (
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    VOCABULARY_FILE,
    check_tokenizer,
)
from modelmill.datasets import archive
from modelmill.datasets.formats import check_content

LIMITS = archive.ArchiveLimits(entries=1_000, unpacked_bytes=4_000_000_000, entry_bytes=2_000_000_000)
# The bytes that each file may have; what is not here is not read.
KEPT = {
    CONFIG_FILE: 1_000_000,
    WEIGHTS_FILE: LIMITS.entry_bytes,
    TOKENIZER_FILE: 20_000_000,
    VOCABULARY_FILE: 20_000_000,
    TOKENIZER_CONFIG_FILE: 1_000_000,
}

# Weights that only a pickle or HDF5 reader opens, code, and archives: whoever sends one means it to be read.
_REFUSED = {
    "weights that can run code when they are read": (
        *(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npz", ".npy", ".h5", ".hdf5", ".keras"),
        *(".msgpack", ".ot"),
    ),
    "code": (".py", ".pyc", ".so", ".dll", ".sh", ".exe", ".whl", ".jar"),
    "an archive in the archive": (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"),
}


class CheckedFolder(NamedTuple):
    """What a folder is: `parameters` are the numbers that training starts from."""

    architecture: Architecture
    parameters: int


def unpack(source: Path, folder: Path) -> None:
    """Write those files of a zip archive that are known into a folder; the archive may hold one folder around them.

    Raises:
        Rejected: the archive is none or breaks a limit, holds weights that are no safetensors, code or another
            archive, or lacks a file.
    """
    check_content(source, "zip")
    with archive.opened(source, LIMITS) as opened:
        entries = archive.files(opened)
        for entry in entries:
            _refuse_by_name(entry.filename)
        found = _known(entries)
        for name, entry in found.items():
            if entry.file_size > KEPT[name]:
                refuse("file_too_large", f"{name} has {entry.file_size:,} bytes; expected at most {KEPT[name]:,}")
            with opened.open(entry) as packed, (folder / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1024 * 1024)


def check_folder(folder: Path) -> CheckedFolder:
    """What the files are, once they agree with each other.

    Raises:
        Rejected: they do not, or cannot be trained on.
    """
    architecture = read_architecture((folder / CONFIG_FILE).read_bytes())
    header = read_header(folder / WEIGHTS_FILE)
    tensors = located(architecture, header)
    check_tokenizer(folder, architecture)
    return CheckedFolder(architecture, sum(tensor.size for tensor in tensors.values()))


def _refuse_by_name(name: str) -> None:
    suffix = PurePosixPath(name).suffix.lower()
    for what, suffixes in _REFUSED.items():
        if suffix in suffixes:
            hint = f"pack only {', '.join(KEPT)}, of which the weights are {WEIGHTS_FILE}"
            refuse("forbidden_file", f"the archive holds {name[:200]!r}, {what}; {hint}")


def _known(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    configs = [path for entry in entries if (path := PurePosixPath(entry.filename)).name == CONFIG_FILE]
    folders = sorted((path.parent for path in configs), key=lambda folder: len(folder.parts))
    base = folders[0] if folders else PurePosixPath()
    beside = [str(folder)[:80] for folder in folders if len(folder.parts) == len(base.parts)]
    if len(beside) > 1:
        refuse("config", f"the archive holds a {CONFIG_FILE} in each of {', '.join(beside[:5])}; pack one model")
    if len(base.parts) > 1:
        refuse("missing_file", f"{CONFIG_FILE} lies in {str(base)[:200]!r}; expected it at the top or in one folder")
    paths = {PurePosixPath(entry.filename): entry for entry in entries}
    found = {name: paths[base / name] for name in KEPT if base / name in paths}
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if name not in found:
            _miss(name, paths)
    if not {TOKENIZER_FILE, VOCABULARY_FILE} & found.keys():
        refuse("missing_file", f"the archive holds neither {TOKENIZER_FILE} nor {VOCABULARY_FILE}; add one of them")
    return found


def _miss(name: str, paths: dict[PurePosixPath, zipfile.ZipInfo]) -> None:
    elsewhere = [str(path)[:200] for path in paths if path.name == name]
    if elsewhere:
        refuse("missing_file", f"the archive holds {elsewhere[0]!r}; expected it beside {CONFIG_FILE}")
    shards = [path.name for path in paths if path.suffix == ".safetensors"]
    if name == WEIGHTS_FILE and shards:
        shown = ", ".join(sorted(shards)[:5])
        refuse("missing_file", f"the archive holds {shown[:300]}; expected all weights in one {WEIGHTS_FILE}")
    refuse("missing_file", f"the archive holds no {name}; pack the folder that save_pretrained writes")
