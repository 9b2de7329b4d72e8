"""Archives of base models: what is kept of them, and what hostile or careless ones are told."""

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from modelmill.base_models import safetensors_file, unpacking
from modelmill.base_models.unpacking import CheckedFolder, check_folder, unpack
from modelmill.datasets import archive
from modelmill.datasets.schema import Rejected
from tests.base_models import HEADS, INNER, LAYERS, POSITIONS, WIDTH, WORDS, config, weights, write_folder, zipped

type Change = Callable[[Path], object]


class Upload:
    def __init__(self, folder: Path) -> None:
        self.source, self.archive, self.kept = write_folder(folder / "source"), folder / "upload", folder / "kept"
        self.kept.mkdir()

    def check(self, content: bytes | None = None) -> CheckedFolder:
        self.archive.write_bytes(zipped(self.source) if content is None else content)
        unpack(self.archive, self.kept)
        return check_folder(self.kept)

    def refusal(self, content: bytes | None = None) -> tuple[str, str]:
        with pytest.raises(Rejected) as caught:
            self.check(content)
        return caught.value.problems[0].code, caught.value.problems[0].message


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    return Upload(tmp_path)


def test_what_is_known_is_kept_and_described(upload: Upload) -> None:
    more = {"README.md": b"hello", ".gitattributes": b"", "1_Pooling/config.json": b"{}", "onnx/model.onnx": b"x"}

    checked = upload.check(zipped(upload.source, "tiny/", **more))

    assert {path.name for path in upload.kept.iterdir()} == {"config.json", "model.safetensors", "vocab.txt"}
    assert (checked.architecture.width, checked.architecture.layers, checked.architecture.heads) == (
        WIDTH,
        LAYERS,
        HEADS,
    )
    per_layer = 4 * WIDTH * WIDTH + 2 * WIDTH * INNER + 9 * WIDTH + INNER
    assert checked.parameters == (len(WORDS) + POSITIONS + 4) * WIDTH + LAYERS * per_layer


def rename(names: dict[str, str], prefix: str = "") -> dict[str, Any]:
    found = {}
    for name, array in weights().items():
        for old, new in names.items():
            name = name.replace(old, new)
        found[prefix + name] = array
    return found


DISTILBERT = {
    "encoder.layer": "transformer.layer",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
DISTILBERT_CONFIG = {
    "model_type": "distilbert",
    "architectures": ["DistilBertForMaskedLM"],
    "vocab_size": len(WORDS),
    "dim": WIDTH,
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "hidden_dim": INNER,
    "max_position_embeddings": POSITIONS,
}


@pytest.mark.parametrize(
    ("found", "described"),
    [
        pytest.param(rename({}, "bert."), config(architectures=["BertForMaskedLM"]), id="below a name"),
        pytest.param(rename({"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}), config()),
        pytest.param({name: array.astype(np.float16) for name, array in weights().items()}, config(), id="half"),
        pytest.param(rename(DISTILBERT, "distilbert."), DISTILBERT_CONFIG, id="distilbert"),
    ],
)
def test_the_ways_in_which_encoders_are_written(
    upload: Upload, found: dict[str, Any], described: dict[str, Any]
) -> None:
    save_file(found, upload.source / "model.safetensors")
    (upload.source / "config.json").write_text(json.dumps(described), encoding="utf-8")

    assert upload.check().architecture.model_type == described["model_type"]


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "tiny.PT", "a/flax_model.msgpack", "tf_model.h5", "m.ckpt", "w.npz", "modeling.py", "x.zip"],
)
def test_what_could_run_or_hide_something_is_refused_by_name(upload: Upload, name: str) -> None:
    code, message = upload.refusal(zipped(upload.source, **{name: b"x"}))

    assert code == "forbidden_file"
    assert repr(name) in message
    assert "model.safetensors" in message


def with_link() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        link = zipfile.ZipInfo("config.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(lambda folder: b"not a zip", "type_mismatch", id="no zip"),
        pytest.param(lambda folder: zipped(folder)[:-40], "unreadable", id="cut"),
        pytest.param(lambda folder: zipped(folder, **{"../../x": b""}), "archive_name", id="path traversal"),
        pytest.param(lambda folder: zipped(folder, **{"/etc/x": b""}), "archive_name", id="absolute"),
        pytest.param(lambda folder: zipped(folder, **{"CONFIG.json": b""}), "archive_name", id="two cases"),
        pytest.param(lambda folder: with_link(), "archive_name", id="symbolic link"),
        pytest.param(lambda folder: zipped(folder, zeros=bytes(20_000_000)), "archive_ratio", id="bomb"),
        pytest.param(
            lambda folder: zipped(folder, **{f"f{i}": b"" for i in range(1_001)}), "archive_entries", id="entries"
        ),
        pytest.param(lambda folder: zipped(folder, "a/b/"), "missing_file", id="too deep"),
    ],
)
def test_an_archive_that_breaks_the_rules_is_refused(
    upload: Upload, content: Callable[[Path], bytes], code: str
) -> None:
    assert upload.refusal(content(upload.source))[0] == code


def test_files_and_archives_over_their_caps_are_refused(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(unpacking.KEPT, "vocab.txt", 10)
    assert upload.refusal()[0] == "file_too_large"

    monkeypatch.setattr(unpacking, "LIMITS", archive.ArchiveLimits(10, 100_000, 10_000))
    assert upload.refusal()[0] == "archive_name"

    monkeypatch.setattr(unpacking, "LIMITS", archive.ArchiveLimits(10, 20_000, 20_000))
    assert upload.refusal()[0] == "archive_size"


@pytest.mark.parametrize(
    ("missing", "named"),
    [("config.json", "config.json"), ("model.safetensors", "model.safetensors"), ("vocab.txt", "tokenizer.json")],
)
def test_a_file_that_is_missing_is_named(upload: Upload, missing: str, named: str) -> None:
    (upload.source / missing).unlink()

    code, message = upload.refusal()

    assert code == "missing_file"
    assert named in message


def test_weights_in_several_files_are_refused(upload: Upload) -> None:
    (upload.source / "model.safetensors").rename(upload.source / "model-00001-of-00002.safetensors")

    assert "all weights in one" in upload.refusal()[1]


def test_of_two_models_none_is_picked(upload: Upload) -> None:
    files = {f"{name}/{path.name}": path.read_bytes() for name in ("a", "b") for path in upload.source.iterdir()}
    (empty := upload.source.parent / "empty").mkdir()

    code, message = upload.refusal(zipped(empty, **files))

    assert (code, "config.json in each of a, b" in message) == ("config", True)


def test_weights_apart_from_their_config_are_told(upload: Upload) -> None:
    content = (upload.source / "model.safetensors").read_bytes()
    (upload.source / "model.safetensors").unlink()

    code, message = upload.refusal(zipped(upload.source, "", **{"a/model.safetensors": content}))

    assert code == "missing_file"
    assert "'a/model.safetensors'; expected it beside config.json" in message


def packed(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def one(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4), **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "by its own word", id="empty"),
        pytest.param(b"\x01\x00", "by its own word", id="cut in the length"),
        pytest.param(packed({}, length=2**63), "by its own word", id="endless header"),
        pytest.param(packed(Random(0).randbytes(2_000_001)), "at most 2,000,000", id="long header"),
        pytest.param(packed(b"\x80\x04pickle"), "not JSON", id="no JSON"),
        pytest.param(packed(b"[" * 100_000), "not JSON", id="deep JSON"),
        pytest.param(packed(b'{"a": 1, "a": 2}'), "twice", id="a name twice"),
        pytest.param(packed([1]), "expected a JSON object", id="a list"),
        pytest.param(packed({"__metadata__": {}}), "0 tensors", id="no tensors"),
        pytest.param(packed({f"t{i}": one(shape=(0,), offsets=(0, 0)) for i in range(5001)}), "1 to 5000"),
        pytest.param(packed({"a": {"dtype": "F32"}}), "is not dtype", id="no shape"),
        pytest.param(packed({"a": one(extra=1)}, bytes(4)), "is not dtype", id="more than asked"),
        pytest.param(packed({"a": one("F8_E4M3")}, bytes(4)), "dtype 'F8_E4M3'", id="unknown dtype"),
        pytest.param(packed({"a": one(shape=(-1,))}, bytes(4)), "whole numbers", id="negative"),
        pytest.param(packed({"a": one(shape=(True,))}, bytes(4)), "whole numbers", id="boolean"),
        pytest.param(packed({"a": one(shape=(1.0,))}, bytes(4)), "whole numbers", id="fraction"),
        pytest.param(packed({"a": one(shape=[1] * 9)}, bytes(4)), "8 dimensions", id="dimensions"),
        pytest.param(packed({"a": one(shape=(2**62, 4))}, bytes(4)), "expected at most", id="overflow"),
        pytest.param(packed({"a": one(shape=(2,))}, bytes(4)), "takes 8", id="too few bytes"),
        pytest.param(packed({"a": one(offsets=(4, 0))}, bytes(4)), "takes 4", id="backwards"),
        pytest.param(packed({"a": one(), "b": one()}, bytes(4)), "overlaps", id="overlap"),
        pytest.param(packed({"a": one(), "b": one(offsets=(8, 12))}, bytes(12)), "gap", id="gap"),
        pytest.param(packed({"a": one(offsets=(4, 8))}, bytes(8)), "gap", id="gap at the beginning"),
        pytest.param(packed({"a": one()}, bytes(3)), "the file ends", id="cut"),
        pytest.param(packed({"a": one()}, bytes(5)), "the file ends", id="more than the tensors"),
    ],
)
def test_a_safetensors_file_is_read_by_hand(upload: Upload, content: bytes, words: str) -> None:
    (upload.source / "model.safetensors").write_bytes(content)

    code, message = upload.refusal()

    assert code in ("safetensors", "unreadable")
    assert words in message


def test_what_the_library_writes_is_read_as_the_library_reads_it(tmp_path: Path) -> None:
    arrays = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.arange(4, dtype=np.int64)}
    (tmp_path / "model.safetensors").write_bytes(content := save(arrays))

    header = safetensors_file.read_header(tmp_path / "model.safetensors")

    for name, array in arrays.items():
        found = np.frombuffer(content[header[name].start : header[name].end], array.dtype)
        assert np.array_equal(found.reshape(header[name].shape), array)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model_type": "gpt2"}, "unsupported_architecture", "model_type is 'gpt2'"),
        ({"model_type": ["bert"]}, "unsupported_architecture", "model_type"),
        ({"architectures": ["GPT2Model"]}, "unsupported_architecture", "'GPT2Model'"),
        ({"architectures": "BertModel"}, "config", "architectures"),
        ({"auto_map": {"AutoModel": "x--y"}}, "unsupported_architecture", "auto_map"),
        ({"position_embedding_type": "alibi"}, "unsupported_architecture", "'alibi'"),
        ({"is_decoder": True}, "unsupported_architecture", "is_decoder"),
        ({"hidden_act": "swish"}, "unsupported_architecture", "'swish'"),
        ({"vocab_size": 10**9}, "config", "from 1 to 500,000"),
        ({"vocab_size": True}, "config", "vocab_size"),
        ({"hidden_size": None}, "config", "hidden_size is None"),
        ({"num_attention_heads": 5}, "config", "multiple of 5"),
        ({"layer_norm_eps": "small"}, "config", "layer_norm_eps"),
        ({"pad_token_id": 99}, "config", "pad_token_id"),
        ({"max_position_embeddings": 2}, "config", "no room"),
        ({"hidden_size": 64}, "tensors", f"has the shape [{len(WORDS)}, {WIDTH}]"),
        ({"vocab_size": len(WORDS) + 1}, "tensors", "should have"),
        ({"num_hidden_layers": 3}, "tensors", "has no tensor 'encoder.layer.2."),
        ({"intermediate_size": 65}, "tensors", "intermediate.dense"),
        ({"type_vocab_size": 3}, "tensors", "token_type_embeddings"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(upload: Upload, changes: dict[str, Any], code: str, words: str) -> None:
    (upload.source / "config.json").write_text(json.dumps(config(**changes)), encoding="utf-8")

    found = upload.refusal()

    assert found[0] == code
    assert words in found[1]


def test_weights_that_are_no_floating_point_numbers_are_refused(upload: Upload) -> None:
    save_file({name: array.astype(np.int32) for name, array in weights().items()}, upload.source / "model.safetensors")

    assert "dtype I32" in upload.refusal()[1]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (WORDS[1:], "lacks [PAD]"),
        ([*WORDS, "more"], "vocab_size"),
        ([*WORDS[:-1], "the"], "twice"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(upload: Upload, lines: list[str], words: str) -> None:
    (upload.source / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")

    assert words in upload.refusal()[1]


def tokenizer_json(change: Callable[[dict[str, Any]], object] = lambda content: None) -> str:
    made = Tokenizer(models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.BertNormalizer()])
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    content = json.loads(made.to_str())
    change(content)
    return json.dumps(content)


def test_a_tokenizer_json_stands_for_the_vocabulary(upload: Upload) -> None:
    (upload.source / "vocab.txt").unlink()
    (upload.source / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")

    assert upload.check().architecture.padding == 0


PATTERN = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.update(pre_tokenizer=PATTERN), "'Split'"),
        (lambda content: content["normalizer"]["normalizers"].append({"type": "Replace"}), "'Replace'"),
        (lambda content: content["normalizer"].update(normalizers=[{"type": "NFC"}] * 21), "at most 20"),
        (lambda content: content.update(normalizer={"type": "Sequence", "normalizers": [content["normalizer"]]}), "Se"),
        (lambda content: content["model"].update(type="Unigram"), "'Unigram'"),
        (lambda content: content["model"].update(vocab=[["a", 0.0]]), "expected a vocabulary"),
        (lambda content: content["model"]["vocab"].update(new=len(WORDS)), "vocab_size"),
        (lambda content: content["model"]["vocab"].update(new="1"), "has the id '1'"),
        (lambda content: content["model"]["vocab"].pop("[PAD]"), "pads texts with"),
        (lambda content: content["model"].update(max_input_chars_per_word=10**9), "max_input_chars_per_word"),
        (lambda content: content["model"].update(dropout=0.5), "dropout"),
        (lambda content: content["model"].update(unk_token="<unk>"), "reads what it does not know as '<unk>'"),
        (lambda content: content.update(model=None), "expected one of WordPiece, BPE"),
        (lambda content: content.update(added_tokens=[{"id": 1, "content": "x"}] * 1001), "at most 1,000"),
        (lambda content: content.update(added_tokens=["x"]), "is no object"),
    ],
)
def test_a_tokenizer_that_could_do_harm_is_refused(
    upload: Upload, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    (upload.source / "tokenizer.json").write_text(tokenizer_json(change), encoding="utf-8")

    code, message = upload.refusal()

    assert code == "tokenizer"
    assert words in message


def test_settings_of_a_vocabulary_are_switches(upload: Upload) -> None:
    (upload.source / "tokenizer_config.json").write_text('{"do_lower_case": "yes"}', encoding="utf-8")

    assert "do_lower_case is 'yes'" in upload.refusal()[1]
