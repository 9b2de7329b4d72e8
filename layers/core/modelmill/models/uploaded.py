"""The manifest of a model that somebody uploaded, from what its file and a process that ran it say."""

import time
from dataclasses import dataclass
from typing import Any, get_args

from modelmill.models.graph_facts import GraphFacts
from modelmill.models.manifest import BundleFile, Manifest, Task
from modelmill.models.probe_process import Finding
from modelmill.models.rejection import BundleRejected
from modelmill.models.signature import Datatype, Signature, Tensor
from modelmill.timestamps import iso

MAX_CLASSES = 10_000
MAX_LABEL = 1000
MAX_TENSORS = 1024
MAX_RANK = 64
MAX_NAME = 1024
MAX_LIBRARY = 80
MAX_OPSETS = 10

_SCORES = frozenset({"FP16", "FP32", "FP64"})
_SIZES = range(-1, 2**31)


@dataclass(frozen=True, slots=True)
class Upload:
    """What is known of an uploaded file before it is run; `labels` came with the request."""

    facts: GraphFacts
    sha256: str
    labels: list[str] | None


def manifest_of(upload: Upload, finding: Finding, files: dict[str, BundleFile]) -> Manifest:
    """The manifest; nothing of the finding gets in unchecked.

    Raises:
        BundleRejected: `signature_unsupported`, `labels_mismatch`, `model_too_complex` or `probe_failed`.
    """
    inputs = _tensors(finding.get("inputs"), "input")
    outputs = _tensors(finding.get("outputs"), "output")
    labels, outputs = _classes(upload.labels, _labels(finding.get("labels")), outputs)
    return Manifest(
        kind="tensor",
        task=_task(labels),
        algorithm="uploaded",
        target=None,
        spec={},
        signature=Signature("tensor", inputs, outputs, []),
        labels=labels,
        metrics={},
        parity={},
        split={},
        lineage={"source": "upload", "sha256": upload.sha256},
        libraries=_libraries(upload.facts),
        files=files,
        created_at=iso(time.time()),
        placement=placement_of(finding),
    )


def placement_of(finding: Finding) -> dict[str, Any]:
    """The measured hints; see `Manifest.placement`.

    Raises:
        BundleRejected: `probe_failed`, they are not numbers.
    """
    found = finding.get("placement")
    names = ("model_bytes", "load_ms", "latency_us", "memory_bytes")
    if not isinstance(found, dict) or not all(_is_size(found.get(name)) for name in names):
        raise _untrue("what it costs")
    return {name: found[name] for name in names}


def _is_size(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 2**50


def _tensors(found: Any, kind: str) -> list[Tensor]:
    if not isinstance(found, list):
        raise _untrue(f"its {kind}s")
    if not 0 < len(found) <= MAX_TENSORS:
        message = f"the model has {len(found)} {kind}s, 1 to {MAX_TENSORS} are taken; put them together in one tensor"
        raise BundleRejected("model_too_complex", message)
    tensors = [_tensor(each, kind) for each in found]
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise BundleRejected("signature_unsupported", f"two {kind}s have the same name; rename one")
    return tensors


def _tensor(found: Any, kind: str) -> Tensor:
    if not isinstance(found, dict) or found.keys() != {"name", "datatype", "shape"}:
        raise _untrue(f"its {kind}s")
    name, datatype, shape = found["name"], found["datatype"], found["shape"]
    if not isinstance(name, str) or not isinstance(shape, list) or datatype not in get_args(Datatype):
        raise _untrue(f"its {kind}s")
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        message = f"an {kind} is called {name[:80]!r}; expected 1 to {MAX_NAME} printable characters. Rename it"
        raise BundleRejected("signature_unsupported", message)
    if len(shape) > MAX_RANK or not all(type(size) is int and size in _SIZES for size in shape):
        raise _untrue(f"its {kind}s")
    return Tensor(name, datatype, shape)


def _labels(found: Any) -> list[str] | None:
    """The labels of the graph, where they can be any."""
    if not isinstance(found, list) or not 2 <= len(found) <= MAX_CLASSES or len(set(map(str, found))) != len(found):
        return None
    texts = [label for label in found if isinstance(label, str) and 0 < len(label) <= MAX_LABEL and label.isprintable()]
    return texts if len(texts) == len(found) else None


def _classes(
    given: list[str] | None, found: list[str] | None, outputs: list[Tensor]
) -> tuple[list[str] | None, list[Tensor]]:
    """The labels that count and the outputs that are served.

    A label that the graph gives must be one of the labels; where whole numbers are given names, the scores decide.
    """
    labels = given or found
    if labels is None:
        return None, outputs
    scores = outputs[-1]
    is_pair = len(outputs) == 2 and len(outputs[0].shape) == 1 and outputs[0].datatype in ("BYTES", "INT64")
    problem = _problem_of_scores(labels, scores, is_pair or len(outputs) == 1)
    if problem is None and given and found and given != found and is_pair and outputs[0].datatype == "BYTES":
        problem = f"the model itself gives {_some(found)} in this order, the upload {_some(given)}"
    if problem is not None:
        if given is None:
            return None, outputs
        raise BundleRejected("labels_mismatch", f"{problem}; correct the labels, or leave them out")
    named_anew = given is not None and given != found and outputs[0].datatype == "INT64"
    kept = outputs[-1:] if named_anew else outputs
    return labels, [*kept[:-1], Tensor(scores.name, scores.datatype, [scores.shape[0], len(labels)])]


def _problem_of_scores(labels: list[str], scores: Tensor, is_classifier: bool) -> str | None:
    if not is_classifier or len(scores.shape) != 2 or scores.datatype not in _SCORES:
        return "labels are for models with one output of scores [N, classes], alone or after one of labels [N]"
    if scores.shape[1] not in (-1, len(labels)):
        return (
            f"there are {len(labels)} labels, and output {scores.name[:80]!r} has {scores.shape[1]} scores for each row"
        )
    return None


def _some(labels: list[str]) -> str:
    return ", ".join(repr(label[:40]) for label in labels[:5]) + (", …" if len(labels) > 5 else "")


def _task(labels: list[str] | None) -> Task | None:
    if labels is None:
        return None
    return "binary" if len(labels) == 2 else "multiclass"


def _libraries(facts: GraphFacts) -> dict[str, str]:
    """What the file says of its maker, which may be anything."""
    known = {
        "producer": _plain(f"{facts.producer} {facts.producer_version}"),
        "ir": str(facts.ir_version),
    }
    for domain, version in sorted(facts.opsets)[:MAX_OPSETS]:
        known["opset" if domain == "" else f"opset {_plain(domain)}"] = str(version)
    return {name: text for name, text in known.items() if text}


def _plain(text: str) -> str:
    return "".join(letter for letter in text[:MAX_LIBRARY] if letter.isprintable()).strip()


def _untrue(what: str) -> BundleRejected:
    return BundleRejected("probe_failed", f"the process that tried the model did not tell {what} in its usual form")
