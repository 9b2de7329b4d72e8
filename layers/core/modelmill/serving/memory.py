"""A bound on what all runs together may allocate, so that a run asking for too much fails alone."""

from functools import cache

import onnxruntime as ort

ENV_ALLOCATORS = ("session.use_env_allocators", "1")
# Weights stay outside of the arena, which is for what runs need for a moment.
WEIGHTS_OUTSIDE = ("session.use_device_allocator_for_initializers", "1")

_ARENA_GROWS_BY_WHAT_IS_ASKED = 1


@cache
def bound_run_memory(max_bytes: int) -> None:
    """Let every session of this process take the memory of its runs from one arena of at most `max_bytes`.

    A run that needs more fails as any other failing run; the arena keeps what it has for the next one.
    """
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    arena = ort.OrtArenaCfg({"max_mem": max_bytes, "arena_extend_strategy": _ARENA_GROWS_BY_WHAT_IS_ASKED})
    ort.create_and_register_allocator(info, arena)
