"""Reading dataset YAMLs, good and bad, and finding what they describe."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from ultralytics.cfg.settings import SETTINGS
from ultralytics.data.description import fetch
from ultralytics.data.description.spec import DatasetSpec
from ultralytics.errors import DatasetError, MissingFile

BODY = "train: images/train\nval: images/val\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty dataset folder."""
    for split in ("train", "val"):
        (tmp_path / "set" / "images" / split).mkdir(parents=True)
        (tmp_path / "set" / "masks" / split).mkdir(parents=True)
    return tmp_path / "set"


def _load(root: Path, text: str, name: str = "data.yaml") -> DatasetSpec:
    (root / name).write_text(text, encoding="utf-8")
    return DatasetSpec.load(root / name)


def test_names_are_text_as_written(root):
    assert _load(root, BODY + "names: {0: no, 1: yes, 2: 007, 3: null, 4: ~, 5: 1.50}").names == {
        0: "no", 1: "yes", 2: "007", 3: "null", 4: "~", 5: "1.50",
    }  # fmt: skip
    assert _load(root, BODY + "names: [on, off]").names == {0: "on", 1: "off"}
    assert _load(root, BODY + "names: {'1': b, '0': a}").names == {0: "a", 1: "b"}
    assert _load(root, BODY + "nc: 2").names == {0: "class_0", 1: "class_1"}


def test_utf16_is_read(root):
    (root / "data.yaml").write_bytes((BODY + "names: [Straße, 道路]").encode("utf-16"))
    assert DatasetSpec.load(root / "data.yaml").names == {0: "Straße", 1: "道路"}


def test_every_key_is_understood(root):
    spec = _load(
        root,
        "train: images/train\nvalidation: images/val\nnames: [road, sky, no]\nchannels: 4\nmasks_dir: masks\n"
        "images_dir: images\nimage_suffix: _a.png\nmask_suffix: _b.png\nignore_label: 7\nbackground: sky\n"
        "label_mapping: {'4': 0, 5: ignore_label, 6: null, -1: ignore_label}\n"
        "colors: {road: [128, 64, 128], no: '#0000ff', ignore: [[0, 0, 0], [1, 1, 1]]}\n"
        "palette: [[1, 2, 3], '#040506', [7, 8, 9]]\nclass_weights: [1, 2.5, 0]\n",
    )
    assert spec.mapping == {4: 0, 5: None, 6: None, -1: None}
    assert spec.colors == {(128, 64, 128): 0, (0, 0, 255): 2, (0, 0, 0): None, (1, 1, 1): None}
    assert spec.display == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert (spec.class_weights, spec.channels, spec.raw_ignore, spec.background) == ((1.0, 2.5, 0.0), 4, 7, 1)
    assert (spec.image_end, spec.label_end) == ("_a.png", "_b.png")
    assert spec.sources["val"] == (root / "images" / "val",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "NoneType|mapping"),
        ("names: [a]", "train: no images are named"),
        (BODY, "names: there is no list of class names"),
        (BODY + "nc: 5\nnames: [a, b]", "nc: 5 is given, but there are 2 names"),
        (BODY + "names: {0: a, 2: b}", "ids must run from 0 to 1; 1 is missing"),
        (BODY + "names: {a: b}", "class id 'a' is not a whole number"),
        (BODY + "names: {0: a, 1: }", "class 1 has no name"),
        (BODY + "names: []", "a list of names or a mapping"),
        (
            "train: 5\nnames: a b\nchannels: many",
            "names: 'a b' is given(.|\n)*train: 5 is given(.|\n)*channels: 'many'",
        ),
        (BODY + "names: [a, b]\nlabel_mapping: {2: 9}", "sends 2 to 9, but class ids are 0 to 1"),
        (BODY + "names: [a, b]\nlabel_mapping: {2: road}", "2 is sent to 'road'"),
        (BODY + "names: [a, b]\nlabel_mapping: [1]", "a mapping 'id in the masks"),
        (BODY + "names: [a, b]\ncolors: {c: [1, 2, 3]}", "'c' is not a class. Known: a, b, ignore"),
        (BODY + "names: [a, b]\ncolors: {a: [1, 2, 300]}", "numbers from 0 to 255"),
        (BODY + "names: [a, b]\npalette: [[1, 2, 3]]", "palette has 1 entries, but there are 2 classes"),
        (BODY + "names: [a, b]\nclass_weights: [1, -2]", "one number >= 0 for each class"),
        (BODY + "names: [a, b]\nbackground: c", "'c' is not a class. Known: a, b, add, ignore"),
        (BODY + "names: [a, b]\nignore_index: many", "ignore_index: 'many'"),
        ("names:\n\t0: a", "line 2"),
        (BODY + "names: [a]\npath: nowhere", "the folder of the dataset .* Tried: .*nowhere, .*nowhere, .*nowhere"),
        (BODY + "names: [a]\ngenerate: moon", "Unknown generator 'moon'"),
    ],
)
def test_a_faulty_description_says_what_is_wrong(root, text, message):
    with pytest.raises(DatasetError, match=message) as caught:
        _load(root, text)
    assert "data.yaml" in str(caught.value)


def test_a_key_that_is_nearly_right_is_pointed_out(root, caplog):
    _load(root, BODY + "names: [a, b]\nmask_dir: masks\nignore: 7\nauthor: someone")
    assert "Did you mean 'masks_dir'?" in caplog.text
    assert "'ignore' has no meaning. Did you mean 'ignore_index'?" in caplog.text
    assert "author" not in caplog.text


def test_a_relative_path_is_tried_from_the_yaml_the_datasets_and_the_working_folder(root, tmp_path, monkeypatch):
    (tmp_path / "yamls").mkdir()
    text = BODY + "names: [a, b]\npath: "
    assert _load(tmp_path / "yamls", text + "../set").root == root
    monkeypatch.chdir(tmp_path)
    assert _load(tmp_path / "yamls", text + "set").root == root
    monkeypatch.chdir(tmp_path / "yamls")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    SETTINGS.update(datasets_dir=str(tmp_path))
    assert _load(tmp_path / "yamls", text + "set").root == root


def test_a_source_written_for_another_folder_is_found_beside_the_yaml(root):
    spec = _load(root, "train: ../images/train\nval: ../images/val\nnames: [a, b]")
    assert spec.sources["train"] == (root / "images" / "train",)


def test_polygons_are_taken_where_there_are_no_masks(root):
    text = BODY + "names: [a, b]"
    assert _load(root, text).masks_dir == "masks"
    for folder in ("masks/train", "masks/val", "masks"):
        (root / folder).rmdir()
    spec = _load(root, text)
    assert spec.uses_polygons
    assert spec.names == {0: "a", 1: "b", 2: "background"}
    assert (spec.background, list(spec.label_ids)) == (2, [0, 1])
    assert _load(root, BODY + "names: [a]").names == {0: "a"}
    assert _load(root, BODY + "names: [a]\nbackground: add").names == {0: "a", 1: "background"}
    assert _load(root, text + "\nbackground: b").background == 1
    assert _load(root, text + "\nbackground: ignore").background is None
    assert _load(root, text + "\nbackground: ignore").names == {0: "a", 1: "b"}


def test_a_folder_with_one_yaml_is_that_dataset(root):
    _load(root, BODY + "names: [a, b]")
    assert DatasetSpec.load(root).file == root / "data.yaml"
    (root / "other.yml").write_text("nc: 2")
    with pytest.raises(DatasetError, match=r"2 dataset YAMLs. .*data\.yaml, other\.yml"):
        DatasetSpec.load(root)


def test_what_does_not_exist_is_missing(tmp_path):
    with pytest.raises(MissingFile, match=r"'nothing\.yaml' does not exist"):
        DatasetSpec.load("nothing.yaml")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DatasetError, match="neither a dataset YAML, a folder nor an archive"):
        DatasetSpec.load(tmp_path / "a.json")


@pytest.mark.parametrize(
    "value", ["|\n  import os\n  os.system('touch {marker}')", "bash touch {marker}", "'https://x y'", "[1]"]
)
def test_code_in_a_description_is_never_executed(tmp_path, value):
    marker = tmp_path / "marker"
    text = f"path: absent\ntrain: a\nval: b\nnames: [a]\ndownload: {value.format(marker=marker)}\n"
    with pytest.raises(DatasetError, match="never executed"):
        _load(tmp_path, text)
    assert not marker.exists()


def test_a_download_that_is_not_needed_is_not_looked_at(root):
    assert _load(root, BODY + "names: [a, b]\ndownload: import os").num_classes == 2


@pytest.mark.parametrize("prefix", ["", "somewhere/"])
def test_a_downloaded_zip_becomes_the_folder(tmp_path, monkeypatch, prefix):
    def served(url: str, target: Path) -> Path:
        assert url == "https://example.com/a/set.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for split in ("train", "val"):
                archive.writestr(f"{prefix}images/{split}/0.png", b"x")
                archive.writestr(f"{prefix}masks/{split}/0.png", b"x")
        return target

    monkeypatch.setattr(fetch, "download", served)  # the server, not our code, is replaced
    (tmp_path / "y").mkdir()
    text = BODY + f"names: [a, b]\npath: {(tmp_path / 'got').as_posix()}\ndownload: https://example.com/a/set.zip\n"
    spec = _load(tmp_path / "y", text)
    assert spec.images("train") == [tmp_path / "got" / "images" / "train" / "0.png"]
    assert spec.masks_dir == "masks"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got", "y"]


def test_files_that_must_not_be_fetched_are_missing_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for packaged in ("streets.yaml", "cityscapes8.yaml"):
        with pytest.raises(MissingFile, match=packaged):
            DatasetSpec.load(packaged, fetch=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("yaml", "told"),
    [
        ("names: [a]\nnames: [b]", "'names' is given twice, in lines 3 and 4"),
        ("names: [a]\nvalid: images/val", "'val' is given twice"),
        ("names: {0: a, '0': b}", "'0' is given twice, in line 3"),
        ("names: {0: a, '00': b}", "class 0 is given twice, as 'a' and as 'b'"),
    ],
)
def test_what_is_given_twice_is_refused(root, yaml, told):
    with pytest.raises(DatasetError, match=told):
        _load(root, BODY + yaml)


@pytest.mark.parametrize("end", ["zip", "tar", "gztar"])
@pytest.mark.parametrize("folder", [".", "a/b"])
@pytest.mark.parametrize("written", ["", "path: /somewhere/else\n", "path: .\n", "path: ../datasets/mine\n"])
def test_an_archive_is_unpacked_once_into_the_cache(make_dataset, tmp_path, caplog, end, folder, written):
    caplog.set_level("INFO", logger="ultralytics")
    packed = make_dataset(written + "names: [a, b, c]", name=f"packed/{folder}")
    archive = Path(shutil.make_archive(str(tmp_path / "set v1"), end, tmp_path / "packed"))
    shutil.rmtree(tmp_path / "packed")
    first, second = DatasetSpec.load(archive), DatasetSpec.load(str(archive))
    assert first == second
    assert not first.root.is_relative_to(tmp_path)
    assert len(first.images("train")) == 4
    assert caplog.text.count("Unpacking") == 1
    assert not packed.exists()
    make_dataset("names: [a, b, c]", name="packed", counts=(7, 2))
    shutil.make_archive(str(tmp_path / "set v1"), end, tmp_path / "packed")
    assert len(DatasetSpec.load(archive).images("train")) == 7


def test_a_bad_archive_is_a_fault_of_the_dataset(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match="damaged or not a zip"):
        DatasetSpec.load(tmp_path / "a.zip")
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(DatasetError, match="nor an archive"):
        DatasetSpec.load(tmp_path / "a.rar")


def test_of_an_archive_with_descriptions_at_two_depths_the_outer_one_counts(shared):
    spec = DatasetSpec.load(shared / "bad-inputs" / "archive-two-yamls" / "two.zip")
    assert spec.file.parent == spec.root
    assert len(spec.images("train")) == 4


def test_sources_may_be_written_with_separators_of_windows(root):
    (root / "images" / "day 1").mkdir(parents=True)
    (root / "images" / "day 1" / "a.png").touch()
    spec = _load(root, "names: [a]\ntrain: images\\day 1\nval: '..\\images\\day 1'")
    assert [image.name for split in ("train", "val") for image in spec.images(split)] == ["a.png", "a.png"]
