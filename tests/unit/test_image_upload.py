"""Archives of pictures: what is read, and what hostile or careless ones are told."""

import stat
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pytest

from modelmill.datasets import archive
from modelmill.datasets.image_upload import read_images
from modelmill.datasets.schema import Rejected, Schema
from tests.kinds import png

RED, BLUE = png(np.full((5, 7, 3), (200, 0, 0))), png(np.full((6, 4, 3), (0, 0, 200)))


class Archive:
    def __init__(self, folder: Path) -> None:
        self.path, self.parquet = folder / "upload", folder / "data.parquet"

    def read(self, files: dict[str, bytes], target: str | None = None, **options: object) -> Schema:
        with zipfile.ZipFile(self.path, "w", **options) as file:  # type: ignore[call-overload]
            for name, content in files.items():
                file.writestr(name, content)
        return read_images(self.path, target, self.parquet)

    def refusal(self, files: dict[str, bytes], **options: object) -> tuple[str, str]:
        with pytest.raises(Rejected) as caught:
            self.read(files, **options)  # type: ignore[arg-type]
        assert not self.parquet.exists()
        return caught.value.problems[0].code, caught.value.problems[0].message


@pytest.fixture
def upload(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def test_folders_are_classes(upload: Archive) -> None:
    files = {
        "set/red/1.png": RED,
        "set/red/2.PNG": BLUE,
        "set/blue/1.png": BLUE,
        "set/.hidden/x.png": b"",
        "__MACOSX/a": b"",
    }

    schema = upload.read(files)

    assert (schema.kind, schema.rows, schema.duplicate_rows) == ("image", 3, 1)
    assert [column.name for column in schema.columns] == ["image", "label", "name", "width", "height"]
    assert {value.value: value.count for value in schema.columns[1].top or []} == {"red": 2, "blue": 1}
    rows = duckdb.sql(f"SELECT label, name, width, height, image FROM '{upload.parquet}'").fetchall()
    assert rows[0] == ("red", "set/red/1.png", 7, 5, RED)
    assert [row[4] for row in rows] == [RED, BLUE, BLUE]


@pytest.mark.parametrize(
    ("table", "target"),
    [
        ("file,label\na.png,red\nb.png,blue\n", None),
        ("\ufeffkind;x\n", "never"),
        ("colour,path\nred,pictures/a.png\nblue,pictures/b.png\n", "colour"),
    ],
)
def test_a_table_names_the_labels(upload: Archive, table: str, target: str | None) -> None:
    files = {"pictures/a.png": RED, "pictures/b.png": BLUE, "labels.csv": table.encode()}
    if target == "never":
        assert upload.refusal(files)[0] == "bad_listing"
        return
    schema = upload.read(files, target)
    assert [value.value for value in schema.columns[1].top or []] == ["blue", "red"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,label\nnowhere.png,red\n", "there is no picture 'nowhere.png'"),
        ("file,label\na.png, \n", "the label is empty"),
        ("file,other\na.png,x\n", "expected one called label or class"),
        ("file,label\n", "lists no pictures"),
        ("file,label\n\xff", "not CSV in UTF-8"),
    ],
)
def test_a_bad_table_is_told(upload: Archive, table: str, message: str) -> None:
    assert message in upload.refusal({"a.png": RED, "labels.csv": table.encode("latin-1")})[1]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"../red/1.png": RED}, "archive_name"),
        ({"/red/1.png": RED}, "archive_name"),
        ({"C:/red/1.png": RED}, "archive_name"),
        ({"red\\1.png": RED}, "archive_name"),
        ({"red/1.png": RED, "RED/1.png": RED}, "archive_name"),
        ({"red/1.txt": b"x"}, "no_pictures"),
        ({"1.png": RED}, "no_label"),
        ({"a/1.png": RED, "x.csv": b"", "y.csv": b""}, "several_tables"),
        ({"red/1.png": b"not a picture"}, "unreadable"),
        ({"red/1.png": png(np.random.default_rng(0).integers(0, 256, (40, 40)))[:900]}, "unreadable"),
    ],
)
def test_a_bad_archive_is_rejected_as_a_whole(upload: Archive, files: dict[str, bytes], code: str) -> None:
    assert upload.refusal(files)[0] == code


def test_every_unreadable_picture_is_named(upload: Archive) -> None:
    with pytest.raises(Rejected) as caught:
        upload.read({"red/good.png": RED, "red/one.png": b"x", "blue/two.jpg": b"y"})
    assert [("one.png" in p.message, "two.jpg" in p.message) for p in caught.value.problems] == [
        (True, False),
        (False, True),
    ]


def test_a_bomb_is_not_unpacked(upload: Archive) -> None:
    assert upload.refusal({"red/1.png": b"\0" * 20_000_000}, compression=zipfile.ZIP_DEFLATED)[0] == "archive_ratio"


def test_links_and_encrypted_entries_are_refused(upload: Archive) -> None:
    link = zipfile.ZipInfo("red/1.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(upload.path, "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(Rejected, match="no plain file"):
        read_images(upload.path, None, upload.parquet)


def test_limits_hold(upload: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PICTURES", archive.ArchiveLimits(1, 10_000, 10_000))
    assert upload.refusal({"a/1.png": RED, "b/1.png": BLUE})[0] == "archive_entries"
    monkeypatch.setattr(archive, "PICTURES", archive.ArchiveLimits(10, 10_000, 10))
    assert upload.refusal({"a/1.png": RED})[0] == "archive_name"
    monkeypatch.setattr(archive, "PICTURES", archive.ArchiveLimits(10, 10, 10_000))
    assert upload.refusal({"a/1.png": RED})[0] == "archive_size"


def test_what_is_no_zip_is_told(upload: Archive) -> None:
    for content, code in ((b"", "empty_file"), (b"a,b\n1,2\n", "type_mismatch"), (b"PK\x03\x04broken", "unreadable")):
        upload.path.write_bytes(content)
        with pytest.raises(Rejected) as caught:
            read_images(upload.path, None, upload.parquet)
        assert caught.value.problems[0].code == code
