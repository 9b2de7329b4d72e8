"""Bounds on what all runs together may allocate, so that a run asking for too much fails alone."""

import resource
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

ENV_ALLOCATORS = ("session.use_env_allocators", "1")
# Weights stay outside of the arena, which is for what runs need for a moment.
WEIGHTS_OUTSIDE = ("session.use_device_allocator_for_initializers", "1")

# Where https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html has them.
DATA_PAGES = 5

_ARENA_GROWS_BY_WHAT_IS_ASKED = 1
_SHRINK = ("memory.enable_memory_arena_shrinkage", "cpu:0")
# One Neg of ONNX's operator set 18, from x [1] to y [1].
_SMALL = (
    b'\x08\x08:2\n\x0b\n\x01x\x12\x01y"\x03Neg\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x12"
)


@cache
def bound_run_memory(max_bytes: int) -> None:
    """Let every session of this process take the memory of its runs from one arena of at most `max_bytes`.

    A run that needs more fails as any other failing run; the arena keeps what it has for the next one.
    """
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    arena = ort.OrtArenaCfg({"max_mem": max_bytes, "arena_extend_strategy": _ARENA_GROWS_BY_WHAT_IS_ASKED})
    ort.create_and_register_allocator(info, arena)


def bound_process_memory(max_bytes: int) -> None:
    """Let this process grow by so much memory of its own from now on: texts, for one, lie outside of the arena.

    Files that are mapped do not count. What is refused is a MemoryError, or a run that fails, instead of the end of the
    process.
    """
    taken = int(Path("/proc/self/statm").read_text().split()[DATA_PAGES]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (taken + max_bytes, hard))


def release_run_memory() -> None:
    """Give back what the arena keeps of earlier runs: its pieces may be too small for the next one.

    It shrinks after a run, so a small model is run, with tensors that lie outside of it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(*ENV_ALLOCATORS)
    session = ort.InferenceSession(_SMALL, options, providers=["CPUExecutionProvider"])
    binding, tensor = session.io_binding(), ort.OrtValue.ortvalue_from_numpy(np.zeros(1, np.float32))
    binding.bind_ortvalue_input("x", tensor)
    binding.bind_ortvalue_output("y", tensor)
    shrinking = ort.RunOptions()
    shrinking.add_run_config_entry(*_SHRINK)
    session.run_with_iobinding(binding, shrinking)
