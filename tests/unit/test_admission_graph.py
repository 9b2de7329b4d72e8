"""What is read from the bytes of an ONNX file, and which files are refused for it."""

import random
import time
import zipfile
from io import BytesIO
from itertools import pairwise

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from modelmill.models import graph_facts
from modelmill.models.graph_checks import check_graph
from modelmill.models.graph_facts import read_facts
from modelmill.models.rejection import BundleRejected
from tests.bundles import MIXED, linear_graph, model_of, signature_of

FLOAT = TensorProto.FLOAT


def refusal(content: bytes) -> str:
    with pytest.raises(BundleRejected) as caught:
        check_graph(content)
    return caught.value.code


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, [1])


def small(*nodes: onnx.NodeProto, **graph: object) -> onnx.ModelProto:
    return model_of([*nodes, helper.make_node("Identity", ["x"], ["y"])], [value("x")], [value("y")], **graph)


def external(location: str = "weights.bin") -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def sparse(tensor: onnx.TensorProto, *, in_indices: bool = False) -> onnx.SparseTensorProto:
    plain = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    made = onnx.SparseTensorProto(dims=[1])
    made.values.CopyFrom(plain if in_indices else tensor)
    made.indices.CopyFrom(tensor if in_indices else plain)
    return made


def constant(**attribute: object) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["c"], **attribute)


def in_subgraph(node: onnx.NodeProto) -> onnx.NodeProto:
    branch = helper.make_graph([node], "branch", [], [value("c")])
    return helper.make_node("If", ["b"], ["z"], then_branch=branch, else_branch=branch)


def in_function(node: onnx.NodeProto) -> onnx.ModelProto:
    model = small()
    model.functions.append(helper.make_function("own", "f", [], ["c"], [node], [helper.make_opsetid("", 18)]))
    return model


def in_training(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = small()
    model.training_info.add().algorithm.initializer.append(tensor)
    return model


PLACES = {
    "initializer": lambda: small(initializers=[external()]),
    "sparse initializer values": lambda: small(sparse_initializer=[sparse(external())]),
    "sparse initializer indices": lambda: small(sparse_initializer=[sparse(external(), in_indices=True)]),
    "attribute": lambda: small(constant(value=external())),
    "attribute list": lambda: small(helper.make_node("Other", [], ["c"], several=[external()])),
    "sparse attribute": lambda: small(constant(sparse_value=sparse(external()))),
    "subgraph": lambda: small(in_subgraph(constant(value=external()))),
    "subgraph of a subgraph": lambda: small(in_subgraph(in_subgraph(constant(value=external())))),
    "function": lambda: in_function(constant(value=external())),
    "training": lambda: in_training(external()),
    "location alone": lambda: small(initializers=[TensorProto(name="w", data_location=TensorProto.EXTERNAL)]),
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_refused_wherever_it_hides(place: str):
    assert refusal(PLACES[place]().SerializeToString()) == "external_data"


@pytest.mark.parametrize("location", ["../s", "sub/../../s", "/etc/passwd", "weights.bin", "", "C:\\s", "http://x/y"])
def test_external_data_is_refused_whatever_it_points_to(location: str):
    assert refusal(small(initializers=[external(location)]).SerializeToString()) == "external_data"


def test_an_entry_without_the_location_flag_counts_as_external():
    tensor = external()
    tensor.ClearField("data_location")

    assert refusal(small(initializers=[tensor]).SerializeToString()) == "external_data"


def test_a_good_graph_passes():
    check_graph(linear_graph(signature_of(MIXED, ["a", "b"]), ["a", "b"]).SerializeToString())


def test_lists_of_numbers_do_not_hide_what_follows():
    tree = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["t"], domain="ai.onnx.ml", values=[0.5] * 1000, ids=[2**40] * 1000
    )

    assert read_facts(small(tree).SerializeToString()).nodes == 2
    assert refusal(small(tree, constant(value=external())).SerializeToString()) == "external_data"


def with_opset(domain: str, version: int) -> bytes:
    model = small()
    model.opset_import.append(helper.make_opsetid(domain, version))
    return bytes(model.SerializeToString())


def with_ir(version: int) -> bytes:
    model = small()
    model.ir_version = version
    return bytes(model.SerializeToString())


def zipped() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model.onnx", small().SerializeToString())
    return content.getvalue()


def deep(levels: int) -> bytes:
    node = constant(value_float=1.0)
    for _ in range(levels):
        node = in_subgraph(node)
    return bytes(small(node).SerializeToString())


def calling(*calls: tuple[str, list[str]]) -> onnx.ModelProto:
    """A model of functions: each name with those that it calls; the graph calls the first."""
    model = small(helper.make_node(calls[0][0], ["x"], ["f"], domain="own"))
    model.opset_import.append(helper.make_opsetid("own", 1))
    for name, called in calls:
        nodes = [helper.make_node(other, ["a"], [f"b{place}"], domain="own") for place, other in enumerate(called)]
        nodes.append(helper.make_node("Identity", ["a"], ["c"]))
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
        model.functions.append(helper.make_function("own", name, ["a"], ["c"], nodes, opsets))
    return model


def doubling(times: int) -> onnx.ModelProto:
    names = [f"f{place}" for place in range(times)]
    return calling(*((name, [after] * 2) for name, after in pairwise(names)), (names[-1], []))


def using(domain: str, name: str = "Anything") -> bytes:
    return bytes(small(helper.make_node(name, ["x"], ["c"], domain=domain)).SerializeToString())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unsupported_format"),
        (b"\x00" * 100, "unsupported_format"),
        (random.Random(0).randbytes(5000), "unsupported_format"),
        (b"\x80\x04}\x94\x8c\x01a\x94K\x01s.", "unsupported_format"),
        (b"\x89HDF\r\n\x1a\n" + b"\x00" * 100, "unsupported_format"),
        (zipped(), "unsupported_format"),
        (small().SerializeToString()[:-5], "unsupported_format"),
        (b"\x83\x01" * 50, "unsupported_format"),
        (b"\x3a" + b"\xff" * 20, "unsupported_format"),
        (b"\xff\xff\xff\xff\xff\x01\x00", "unsupported_format"),
        (with_opset("", 99), "unsupported_onnx"),
        (with_opset("", 0), "unsupported_onnx"),
        (with_ir(99), "unsupported_onnx"),
        (with_ir(0), "unsupported_onnx"),
        (using("evil"), "unsupported_onnx"),
        (using("ai.onnx.training"), "unsupported_onnx"),
        (using("com.microsoft", "EPContext"), "unsupported_onnx"),
        (calling(("f", ["f"])).SerializeToString(), "unsupported_onnx"),
        (calling(("f", ["g"]), ("g", ["f"])).SerializeToString(), "unsupported_onnx"),
        (doubling(40).SerializeToString(), "model_too_complex"),
        (deep(graph_facts.MAX_DEPTH + 1), "model_too_complex"),
    ],
)
def test_unusable_files_are_refused(content: bytes, code: str):
    started = time.monotonic()

    assert refusal(content) == code
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "content",
    [
        with_opset("com.microsoft", 1),
        with_opset("unused", 1),
        using("com.microsoft", "Gelu"),
        in_function(constant(value_float=1.0)).SerializeToString(),
        calling(("f", ["g", "g"]), ("g", [])).SerializeToString(),
        deep(4),
    ],
)
def test_what_exporters_write_is_taken(content: bytes):
    check_graph(content)


@pytest.mark.parametrize("dims", [[2**62, 4], [2**40], [-1], [1000, 1000, 1000]])
def test_a_tensor_that_says_it_is_larger_than_the_file_is_refused(dims: list[int]):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=b"\x00" * 8)

    assert refusal(small(initializers=[tensor]).SerializeToString()) == "unsupported_format"


def test_parts_without_number_are_refused_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graph_facts, "MAX_WAITING", 100)
    many = small(*[helper.make_node("Identity", ["x"], ["z"])] * 200)

    assert refusal(many.SerializeToString()) == "model_too_complex"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes):
    try:
        read_facts(content)
    except ValueError:
        pass


GOOD = linear_graph(signature_of(MIXED, ["a", "b"]), ["a", "b"]).SerializeToString()


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_what_onnx_reads_as_external_after_a_change_is_never_missed(at: int, change: int):
    content = bytearray(GOOD)
    content[at] ^= change
    try:
        model = onnx.ModelProto.FromString(bytes(content))
    except Exception:  # noqa: BLE001 protobuf's own error, whose place depends on its implementation
        return
    if any(tensor.data_location or tensor.external_data for tensor in model.graph.initializer):
        try:
            assert read_facts(bytes(content)).external
        except ValueError:
            pass
