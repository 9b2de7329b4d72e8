"""Load: a registered version to a session that can be run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from modelmill.models.manifest import MODEL_FILE, Manifest
from modelmill.models.registry import ModelVersion
from modelmill.serving.bundle import BundleBroken, fetch_file, fetch_manifest
from modelmill.serving.decode import DECODERS, Tensors
from modelmill.serving.encode import Encoder, encoder
from modelmill.serving.ports import Bundles

# A session takes about its file again in memory, for weights in the layout that the kernels want.
MEMORY_PER_FILE_BYTE = 2
SESSION_MEMORY = 4 * 1024 * 1024

LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.ModelLoaded,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A verified model, ready to run; `memory_bytes` is an estimate."""

    session: ort.InferenceSession
    decode: Callable[[list[Any]], Tensors]
    encode: Encoder
    memory_bytes: int


def memory_needed(manifest: Manifest) -> int:
    """What the session is expected to take, in bytes."""
    return SESSION_MEMORY + MEMORY_PER_FILE_BYTE * manifest.files[MODEL_FILE].bytes


def load(bundles: Bundles, version: ModelVersion, make_room: Callable[[int], None]) -> LoadedModel:
    """The model of this version; onnxruntime sees only bytes that match the registered hashes.

    make_room: called with the bytes of memory that are about to be used.

    Raises:
        BundleBroken: a file is missing or altered, or onnxruntime refuses the model.
        Unavailable: the store is down.
    """
    manifest = fetch_manifest(bundles, version)
    if MODEL_FILE not in manifest.files:
        raise BundleBroken(f"the manifest lists no {MODEL_FILE}")
    memory = memory_needed(manifest)
    make_room(memory)
    with TemporaryDirectory(prefix="modelmill-") as folder:
        path = fetch_file(bundles, version, MODEL_FILE, manifest.files[MODEL_FILE], Path(folder))
        session = open_session(path)
    decode = DECODERS[manifest.signature.kind](manifest.signature)
    return LoadedModel(session, decode, encoder(manifest), memory)


def open_session(path: Path) -> ort.InferenceSession:
    """A session on one thread.

    Raises:
        BundleBroken: onnxruntime refuses the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as error:
        raise BundleBroken("onnxruntime cannot load the model") from error
