"""Pascal VOC, ADE20K, COCO-Stuff and ApolloScape, in the folders of the originals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from rtseg.classes import VOID, ClassSet
from rtseg.cli import main
from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets import FolderConfig, load_dataset_config, open_dataset

SIZE_HW = (6, 10)


@pytest.fixture
def configs(repository: Path) -> Path:
    return repository / "configs" / "datasets"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    return tmp_path


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*SIZE_HW, 3), 90, np.uint8))


def columns(values: list[int]) -> np.ndarray:
    """Return ids [H, W] whose columns hold the values; the last one fills the rest."""
    row = np.array([*values, *[values[-1]] * SIZE_HW[1]], np.uint8)[: SIZE_HW[1]]
    return np.ascontiguousarray(np.broadcast_to(row, SIZE_HW))


def grey_mask(path: Path, values: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), columns(values))


def palette_mask(path: Path, values: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(columns(values))
    mask.putpalette([channel for index in range(256) for channel in voc_colour(index)])
    mask.save(path)


def voc_colour(index: int) -> tuple[int, ...]:
    """Pascal VOC's colour map: the bits of the index, dealt out to the channels from the top."""
    return tuple(
        sum((index >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
        for channel in range(3)
    )


def labels_of(config: Path, split: str, count: int, position: int = 0) -> list[int]:
    sample = open_dataset(config, split)[position]
    assert sample.image_bgr.shape == (*SIZE_HW, 3)
    assert (sample.labels == sample.labels[0]).all()
    return [int(label) for label in sample.labels[0][:count]]


def classes_of(config: Path) -> ClassSet:
    return load_dataset_config(config).read_classes(config.parent)


def ids_of(config: Path) -> dict[int, int]:
    loaded = load_dataset_config(config)
    assert isinstance(loaded, FolderConfig)
    return loaded.table().meaning("ids")


def tell(config: Path, tree: Path, split: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What `rtseg dataset CONFIG --root TREE` says."""
    arguments = ["dataset", str(config), "--root", str(tree), "--split", split, "--json"]
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def write_list(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def voc(root: Path) -> Path:
    """A devkit with two segmented pictures, one that only SBD segmented, and one without mask."""
    devkit = root / "VOCdevkit" / "VOC2012"
    for name in ("2007_000032", "2007_000033", "2008_000002", "2008_000003"):
        picture(devkit / f"JPEGImages/{name}.jpg")
    palette_mask(devkit / "SegmentationClass/2007_000032.png", [0, 1, 15, 20, 255])
    palette_mask(devkit / "SegmentationClass/2007_000033.png", [7])
    for name, values in (("2007_000032", [0, 1, 15, 20, 0]), ("2008_000002", [20, 0])):
        grey_mask(devkit / f"SegmentationClassAug/{name}.png", values)
    lists = devkit / "ImageSets/Segmentation"
    write_list(lists / "train.txt", ["2007_000032"])
    write_list(lists / "val.txt", ["2007_000033"])
    write_list(lists / "trainval.txt", ["2007_000032", "2007_000033"])
    pairs = [
        f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png"
        for name in ("2007_000032", "2008_000002")
    ]
    write_list(lists / "trainaug.txt", pairs)
    return devkit


def test_voc_masks_are_indices_and_the_cream_line_is_void(
    voc: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configs / "pascal_voc.yaml"
    assert labels_of(config, "train", 5) == [0, 1, 15, 20, VOID]
    assert cv2.imread(str(voc / "SegmentationClass/2007_000032.png"))[0, 1].tolist() == [0, 0, 128]
    assert open_dataset(config, "trainval").names == ["2007_000032", "2007_000033"]
    told = tell(config, voc, "val", capsys)
    assert (told["pictures"], told["problems"]) == (1, [])
    assert told["classes"][7]["pixels"] == SIZE_HW[0] * SIZE_HW[1]


def test_voc_augmented_prefers_the_masks_of_voc_itself(voc: Path, configs: Path) -> None:
    config = configs / "pascal_voc.yaml"
    assert open_dataset(config, "trainaug").names == ["2007_000032", "2008_000002"]
    assert labels_of(config, "trainaug", 5) == [0, 1, 15, 20, VOID]
    assert labels_of(config, "trainaug", 2, position=1) == [20, 0]
    names = "2007_000032\n2008_000002\n"
    (voc / "ImageSets/Segmentation/trainaug.txt").write_text(names)
    assert open_dataset(config, "trainaug").names == names.split()


def test_voc_table(configs: Path) -> None:
    classes = classes_of(configs / "pascal_voc.yaml")
    assert classes.names[:2] + classes.names[-1:] == ("background", "aeroplane", "tvmonitor")
    assert classes.names[1:] == tuple(sorted(classes.names[1:]))
    assert classes.colours_rgb == tuple(voc_colour(index) for index in range(21))
    assert ids_of(configs / "pascal_voc.yaml") == {**{i: i for i in range(21)}, 255: VOID}


def test_ade20k_ids_begin_at_one(
    root: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, config = root / "ADEChallengeData2016", configs / "ade20k.yaml"
    for split, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        picture(tree / f"images/{split}/{name}.jpg")
        grey_mask(tree / f"annotations/{split}/{name}.png", [0, 1, 2, 21, 150])
    for split in ("train", "val"):
        assert labels_of(config, split, 5) == [VOID, 0, 1, 20, 149]
    assert tell(config, tree, "val", capsys)["void_share"] == pytest.approx(0.1)
    grey_mask(tree / "annotations/training/ADE_train_00000001.png", [1, 151])
    with pytest.raises(DataError, match=r"the id 151 .*allowed are 0–150"):
        open_dataset(config, "train")[0]


def test_ade20k_table(configs: Path) -> None:
    classes = classes_of(configs / "ade20k.yaml")
    assert len(classes) == 150
    rows = dict(zip(classes.names, classes.colours_rgb, strict=True))
    assert rows["wall"] == (120, 120, 120)
    assert rows["sky"] == (6, 230, 230)
    assert rows["car"] == (0, 102, 200)
    assert rows["flag"] == (92, 0, 255)
    places = {"wall": 1, "sky": 3, "road": 7, "bed": 8, "person": 13, "car": 21, "truck": 84,
              "television": 90, "bicycle": 128, "traffic light": 137, "flag": 150}  # fmt: skip
    assert {name: classes.id_of(name) + 1 for name in places} == places
    assert ids_of(configs / "ade20k.yaml") == {0: VOID, **{i: i - 1 for i in range(1, 151)}}


COCO_SAMPLES = {0: 0, 10: 10, 12: 11, 89: 79, 91: 80, 181: 170, 255: VOID}
"""Number in a mask → label: eleven numbers below 91 stand for nothing."""
COCO_GAPS = [11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90]


@pytest.mark.parametrize("folder", ["annotations", "stuffthingmaps"])
def test_coco_stuff_numbers_have_gaps(
    root: Path, configs: Path, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    tree, config = root / "cocostuff", configs / "coco_stuff.yaml"
    for split, name in (("train2017", "000000000009"), ("val2017", "000000000139")):
        picture(tree / f"images/{split}/{name}.jpg")
        grey_mask(tree / f"{folder}/{split}/{name}.png", [*COCO_SAMPLES])
    for split in ("train", "val"):
        assert labels_of(config, split, 7) == [*COCO_SAMPLES.values()]
    told = tell(config, tree, "train", capsys)
    assert [row["name"] for row in told["classes"] if row["pixels"]] == [
        "person", "fire hydrant", "stop sign", "toothbrush", "banner", "wood",
    ]  # fmt: skip
    grey_mask(tree / f"{folder}/val2017/000000000139.png", [0, 11])
    with pytest.raises(DataError, match="the id 11 in 54 pixels"):
        open_dataset(config, "val")[0]


def test_coco_stuff_as_train_ids(root: Path, configs: Path) -> None:
    picture(root / "cocostuff/images/val2017/000000000139.jpg")
    mask = root / "cocostuff/annotations/val2017/000000000139_labelTrainIds.png"
    grey_mask(mask, [0, 11, 170, 255])
    assert labels_of(configs / "coco_stuff.yaml", "val", 4) == [0, 11, 170, VOID]


def test_coco_stuff_table(configs: Path) -> None:
    classes = classes_of(configs / "coco_stuff.yaml")
    assert len(classes) == len(set(classes.colours_rgb)) == 171
    meaning = ids_of(configs / "coco_stuff.yaml")
    assert meaning.pop(255) == VOID
    assert sorted(meaning) == [number for number in range(182) if number not in COCO_GAPS]
    assert sorted(meaning.values()) == list(range(171))
    assert [meaning[number] for number in sorted(meaning)] == list(range(171))
    things = ("person", "car", "traffic light", "refrigerator", "toothbrush")
    assert [classes.id_of(name) for name in things] == [0, 2, 9, 72, 79]
    assert classes.id_of("road") == meaning[148]


APOLLO_SAMPLES = {17: 0, 33: 1, 161: 1, 168: 8, 49: 9, 113: 21, 0: VOID, 98: VOID, 255: VOID}


def apollo_frame(tree: Path, road: str, record: str, number: int) -> str:
    """Write a frame with all that lies beside it; return its path below ColorImage."""
    name = f"{record}/Camera 5/170908_{number:09d}_Camera_5"
    picture(tree / road / "ColorImage" / f"{name}.jpg")
    label = tree / road / "Label" / name
    grey_mask(label.with_name(f"{label.name}_bin.png"), [*APOLLO_SAMPLES])
    (label.with_name(f"{label.name}.json")).write_text("{}")
    if road.endswith("_ins"):
        instances = columns([33]).astype(np.uint16) * 1000 + 7
        cv2.imwrite(str(label.with_name(f"{label.name}_instanceIds.png")), instances)
    return name


@pytest.fixture
def apollo(root: Path) -> Path:
    tree = root / "apolloscape"
    for road in ("road01_ins", "road02_ins", "road03_ins"):
        for split, record in (("train", "Record001"), ("val", "Record005")):
            names = [apollo_frame(tree, road, record, number) for number in (61502408, 61502999)]
            pairs = [f"{road}/ColorImage/{name}.jpg\t{road}/Label/{name}_bin.png" for name in names]
            write_list(tree / f"{road}_{split}.lst", pairs)
    apollo_frame(tree, "road02_seg", "Record022", 1)
    return tree


def test_apolloscape_reads_the_bin_files_of_its_lists(
    apollo: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configs / "apolloscape.yaml"
    names = open_dataset(config, "road01_ins_val").names
    assert names == [f"Record005/Camera 5/170908_0{n}_Camera_5" for n in (61502408, 61502999)]
    assert labels_of(config, "road01_ins_val", 9) == [*APOLLO_SAMPLES.values()]
    assert labels_of(config, "road02_seg", 9) == [*APOLLO_SAMPLES.values()]
    assert open_dataset(config, "road01_ins").names[2:] == names
    assert tell(config, apollo, "road01_ins", capsys)["pictures"] == 4


def test_apolloscape_joins_its_roads(apollo: Path, configs: Path) -> None:
    for split, record in (("train", "Record001"), ("val", "Record005")):
        dataset = open_dataset(configs / "apolloscape.yaml", split)
        assert len(dataset) == 6
        assert all(name.startswith(record) for name in dataset.names)
        assert dataset[5].labels[0, 1] == 1
    (apollo / "road03_ins_val.lst").unlink()
    with pytest.raises(DataError, match=r"can't read the list of pictures .*road03_ins_val\.lst"):
        open_dataset(configs / "apolloscape.yaml", "val")


def test_apolloscape_table(configs: Path) -> None:
    classes = classes_of(configs / "apolloscape.yaml")
    assert len(classes) == 22
    meaning = ids_of(configs / "apolloscape.yaml")
    assert {number: meaning[number] for number in APOLLO_SAMPLES} == APOLLO_SAMPLES
    void = sorted(number for number, label in meaning.items() if label == VOID)
    assert void == [0, 1, 98, 99, 100, 255]
    groups = {128 + number: meaning[number] for number in range(33, 41)}
    assert {number: meaning[number] for number in groups} == groups


def test_joined_splits_are_checked(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "layout": "folder", "root": "x", "pictures": "{split}/{name}.jpg", "class_set": "x",
        "masks": {"path": "{split}/{name}.png", "values": "train_ids"},
        "classes": [{"name": "a", "colour": [1, 2, 3]}],
    }  # fmt: skip
    path = tmp_path / "x.yaml"
    for splits, message in (
        ({"a": {}, "all": {"joins": ["b"]}}, r"'all' joins 'b', which is no split.*Known: a"),
        ({"a": {}, "b": {"joins": ["a"]}, "c": {"joins": ["b"]}}, "'c' joins 'b', which is no"),
        ({"a": {}, "b": {"joins": ["a"], "include": ["x"]}}, "'b' joins others, so it can't"),
    ):
        path.write_text(yaml.safe_dump({**values, "splits": splits}))
        with pytest.raises(ConfigError, match=message):
            load_dataset_config(path)


def test_a_root_is_for_data_sets_in_a_folder(
    configs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", str(configs / "demo.yaml"), "--root", str(tmp_path)]) == 2
    assert "has no folder of its own" in capsys.readouterr().err
