"""Load: a registered version to a session that can be run."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from modelmill.models.manifest import MODEL_FILE, SERVING_FILE, TOKENIZER_FILE, WEIGHTS_FILE, Manifest
from modelmill.models.registry import ModelVersion
from modelmill.models.signature import Signature
from modelmill.serving.bundle import BundleBroken, fetch_file, fetch_manifest
from modelmill.serving.decode import DECODERS
from modelmill.serving.encode import Encoder, encoder
from modelmill.serving.memory import ENV_ALLOCATORS, WEIGHTS_OUTSIDE
from modelmill.serving.ports import Bundles
from modelmill.serving.reasons import reason
from modelmill.serving.tensor_plan import TensorPlan
from modelmill.serving.tensors import Tensors

# An empty session takes about 10 MB; weights also lie in memory in the layout that the kernels want.
SESSION_MEMORY = 10 * 1024 * 1024
MEMORY_PER_FILE_BYTE = 2

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


class LoadedModel(NamedTuple):
    """A verified model, ready to run; `memory_bytes` is an estimate, `plan` is for those who send tensors."""

    session: ort.InferenceSession
    signature: Signature
    labels: list[str] | None
    decode: Callable[[list[Any]], Tensors]
    encode: Encoder
    plan: TensorPlan
    memory_bytes: int


def loaded_files(manifest: Manifest) -> list[str]:
    """The files that a session is made of, the graph first: the form that admission wrote, or else the model itself."""
    if SERVING_FILE not in manifest.files:
        return [MODEL_FILE]
    return [SERVING_FILE, *({WEIGHTS_FILE} & manifest.files.keys())]


def _fetched_files(manifest: Manifest) -> list[str]:
    return [*loaded_files(manifest), *({TOKENIZER_FILE} & manifest.files.keys())]


def memory_needed(manifest: Manifest) -> int:
    """What the session is expected to take, in bytes."""
    return SESSION_MEMORY + MEMORY_PER_FILE_BYTE * sum(manifest.files[name].bytes for name in loaded_files(manifest))


def load(bundles: Bundles, version: ModelVersion, make_room: Callable[[int, int], None]) -> LoadedModel:
    """The model of this version; onnxruntime sees only bytes that match the registered hashes.

    make_room: called with the bytes of memory and of disk that are about to be used.

    Raises:
        BundleBroken: a file is missing or altered, or onnxruntime refuses the model.
        Unavailable: the store is down.
    """
    with TemporaryDirectory(prefix="modelmill-") as folder:
        manifest = fetch_manifest(bundles, version, Path(folder))
        if MODEL_FILE not in manifest.files:
            raise BundleBroken(f"the manifest lists no {MODEL_FILE}")
        names = _fetched_files(manifest)
        make_room(memory_needed(manifest), sum(manifest.files[name].bytes for name in names))
        for name in names:
            fetch_file(bundles, version, name, manifest.files[name], Path(folder))
        return open_model(manifest, Path(folder))


def open_model(manifest: Manifest, folder: Path) -> LoadedModel:
    """The model in a folder of verified files; onnxruntime keeps weights of their own mapped, also once deleted.

    Raises:
        BundleBroken: onnxruntime refuses it.
    """
    decode = DECODERS[manifest.signature.kind](manifest, folder)
    session = open_session(folder / loaded_files(manifest)[0])
    signature, labels = manifest.signature, manifest.labels
    plan = TensorPlan(signature, labels, frozenset(node.name for node in session.get_inputs()))
    return LoadedModel(session, signature, labels, decode, encoder(manifest), plan, memory_needed(manifest))


def open_session(path: Path) -> ort.InferenceSession:
    """A session on one thread.

    Raises:
        BundleBroken: onnxruntime refuses the file.
    """
    try:
        return ort.InferenceSession(path, session_options(), providers=["CPUExecutionProvider"])
    except LOAD_ERRORS as error:
        raise BundleBroken(f"onnxruntime cannot load the model: {reason(error, path.parent)}") from error


def session_options() -> ort.SessionOptions:
    """One thread, memory as `serving.memory` says, silent.

    What a run takes does not depend on earlier ones: no block is kept ready in the sizes of the first.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    options.add_session_config_entry(*ENV_ALLOCATORS)
    options.add_session_config_entry(*WEIGHTS_OUTSIDE)
    return options
