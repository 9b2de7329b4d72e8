"""The machines that a job is trained on: what a request may ask for, and what is taken where it asks for nothing."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from modelmill.errors import FieldError, InvalidRequest
from modelmill.jobs.catalogue import AUTO, algorithms, find

MIN_RUNTIME_SECONDS = 60

# How long a job waits for spot capacity, before its start and after interruptions together.
SPOT_WAIT_SECONDS = 3600

# Families of SageMaker's instance types with NVIDIA GPUs, which need the other image.
GPU_TYPE = re.compile(r"ml\.[gp]\d")

# From so many rows on a GPU shortens the training of a net on texts, pictures or series.
ROWS_FOR_GPU = 10_000

# Parquet of this size takes about ten times as much memory, several times over while features are made.
LARGE_BYTES = 100 * 1024**2

# By what there is to do, the types that suit it; the first one that the stack allows is taken.
SMALL = ("ml.m5.xlarge", "ml.m6i.xlarge", "ml.c6i.xlarge", "ml.m5.large", "ml.m6i.large")
LARGE = ("ml.m5.4xlarge", "ml.m6i.4xlarge", "ml.c6i.8xlarge", "ml.m5.2xlarge", "ml.m6i.2xlarge", "ml.c6i.4xlarge")
GPU = ("ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g4dn.2xlarge", "ml.g5.2xlarge", *LARGE)


class Offer(NamedTuple):
    """What the operator of this stack lets requests choose; `instance_types` has at least one."""

    instance_types: tuple[str, ...]
    max_instance_count: int
    max_runtime_s: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return self._asdict() | {"instance_types": list(self.instance_types)}


class Work(NamedTuple):
    """What is to be trained, as far as the choice of machines depends on it.

    bytes: of the dataset as Parquet.
    tuning: whether hyper-parameters are searched for.
    """

    kind: str
    algorithm: str
    rows: int
    bytes: int
    tuning: bool = False


@dataclass(frozen=True, slots=True)
class Compute:
    """Resolved. The defaults are those of jobs before there was a choice.

    spot: on capacity that nobody else wants, for which it waits and which may be taken away in the middle.
    max_runtime_s: seconds of training after which it is stopped.
    """

    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1
    spot: bool = False
    max_runtime_s: int = 3600

    @property
    def max_wait_s(self) -> int:
        """Of a spot job, the seconds of training and waiting together after which it is stopped."""
        return self.max_runtime_s + SPOT_WAIT_SECONDS

    @property
    def gpu(self) -> bool:
        """Whether the machine has one."""
        return is_gpu(self.instance_type)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def is_gpu(instance_type: str) -> bool:
    """Whether machines of this type have GPUs."""
    return GPU_TYPE.match(instance_type) is not None


def resolve_compute(offer: Offer, work: Work, asked: Mapping[str, Any] | None) -> Compute:
    """What is asked for, and defaults for the rest.

    Raises:
        InvalidRequest: the stack does not allow it; `errors` names each field and what is allowed.
    """
    given = {name: value for name, value in (asked or {}).items() if value is not None}
    errors = [*_wrong_type(offer, given), *_wrong_count(offer, work, given), *_wrong_runtime(offer, given)]
    if errors:
        raise InvalidRequest("; ".join(f"{error.field}: {error.message}" for error in errors), errors=tuple(errors))
    usual = Compute(usual_type(offer, work), max_runtime_s=offer.max_runtime_s)
    return replace(usual, **given)


def usual_type(offer: Offer, work: Work) -> str:
    """The first allowed type of those that suit the work, or the first one without a GPU, or the first one."""
    without = (name for name in offer.instance_types if not is_gpu(name))
    suited = (name for name in _suited(work) if name in offer.instance_types)
    return next(suited, None) or next(without, None) or offer.instance_types[0]


def limit_search(field: str, given: Mapping[str, Any], complete: dict[str, Any], max_runtime_s: int) -> dict[str, Any]:
    """`complete`, its seconds of a search (the last part of `field`) at most those that the job may run.

    Raises:
        InvalidRequest: more were asked for.
    """
    name = field.rpartition(".")[2]
    if complete.get(name, 0) <= max_runtime_s:
        return complete
    if given.get(name) is not None:
        message = f"got {given[name]}, expected at most the {max_runtime_s} seconds of compute.max_runtime_s"
        raise InvalidRequest(f"{field}: {message}", errors=(FieldError(field, message),))
    return complete | {name: max_runtime_s}


def _suited(work: Work) -> tuple[str, ...]:
    # What tables need most is memory, and their nets are small.
    if work.kind != "tabular" and work.rows >= ROWS_FOR_GPU and _trains_nets(work):
        return GPU
    return LARGE if work.bytes >= LARGE_BYTES else SMALL


def _trains_nets(work: Work) -> bool:
    """`auto` does so too, on all but tables."""
    return work.algorithm == AUTO or _is_net(work)


def _is_net(work: Work) -> bool:
    return "epochs" in find(work.kind, work.algorithm).hyperparameters


def _wrong_type(offer: Offer, given: Mapping[str, Any]) -> list[FieldError]:
    name = given.get("instance_type")
    if name is None or name in offer.instance_types:
        return []
    allowed = ", ".join(offer.instance_types)
    return [FieldError("compute.instance_type", f"got {name[:80]!r}, expected one of {allowed}")]


def _wrong_count(offer: Offer, work: Work, given: Mapping[str, Any]) -> list[FieldError]:
    count, field = given.get("instance_count", 1), "compute.instance_count"
    if not 1 <= count <= offer.max_instance_count:
        return [FieldError(field, f"got {count}, expected an integer from 1 to {offer.max_instance_count}")]
    if count == 1:
        return []
    if not _is_net(work):
        nets = ", ".join(name for name in algorithms(work.kind) if _is_net(work._replace(algorithm=name)))
        message = f"got {count}, but {work.algorithm} trains on one machine; ask for 1, or for one of {nets}"
        return [FieldError(field, message)]
    # The machines go step by step together, which what depends on the time that a fit takes would tear apart.
    return [FieldError(field, f"got {count}, but tuning runs on one machine; ask for 1")] if work.tuning else []


def _wrong_runtime(offer: Offer, given: Mapping[str, Any]) -> list[FieldError]:
    seconds = given.get("max_runtime_s", offer.max_runtime_s)
    if MIN_RUNTIME_SECONDS <= seconds <= offer.max_runtime_s:
        return []
    expected = f"an integer from {MIN_RUNTIME_SECONDS} to {offer.max_runtime_s}"
    return [FieldError("compute.max_runtime_s", f"got {seconds}, expected {expected}")]
