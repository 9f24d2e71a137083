"""Own pictures and masks: how they are found and paired, and what is said when they aren't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets import SegmentationDataset, open_dataset

CONFIG: dict[str, Any] = {
    "layout": "folder",
    "root": "own",
    "pictures": "{split}/pictures/{name}.jpg",
    "masks": {"path": "{split}/masks/{name}.png", "values": "ids"},
    "splits": {"train": {}, "val": {}},
    "class_set": "own",
    "classes": [
        {"name": "ground", "colour": [1, 2, 3], "ids": [0]},
        {"name": "road", "colour": [4, 5, 6], "ids": {"asphalt": 1, "lane": 2}},
    ],
    "void": {"ids": [255]},
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    return tmp_path / "own"


def put(path: Path, value: int = 1, size_hw: tuple[int, int] = (4, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size_hw, value, np.uint8))


def put_pairs(root: Path, split: str, *names: str) -> None:
    for name in names:
        put(root / split / "pictures" / f"{name}.jpg")
        put(root / split / "masks" / f"{name}.png")


def open_with(own: Path, split: str = "train", **changes: Any) -> SegmentationDataset:
    path = own.parent / "own.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return open_dataset(path, split)


def test_names_span_folders_and_are_sorted(own: Path) -> None:
    put_pairs(own, "train", "b", "tuesday/1", "monday/2", "monday/10")
    dataset = open_with(own)
    assert dataset.names == ["b", "monday/10", "monday/2", "tuesday/1"]
    assert dataset[1].labels.tolist() == [[1] * 6] * 4
    assert dataset[1].name == "monday/10"
    with pytest.raises(IndexError):
        dataset[4]


def test_several_ids_are_one_class(own: Path) -> None:
    put_pairs(own, "train", "a")
    put(own / "train/masks/a.png", 2)
    assert (open_with(own)[0].labels == 1).all()


def test_splits_are_joined_with_a_plus(own: Path) -> None:
    put_pairs(own, "train", "a", "b")
    put_pairs(own, "val", "c")
    dataset = open_with(own, "train+val")
    assert dataset.names == ["a", "b", "c"]
    assert [dataset[index].name for index in (0, 2, -1)] == ["a", "c", "c"]
    with pytest.raises(IndexError):
        dataset[3]


def test_a_split_by_patterns_or_a_list(own: Path) -> None:
    for name in ("a1", "a2", "b1"):
        put(own / f"pictures/{name}.jpg")
        put(own / f"masks/{name}.png")
    (own / "order.txt").write_text("# best first\nb1\n\na2.jpg\npictures/a1.jpg\n")
    changes: dict[str, Any] = {
        "pictures": "pictures/{name}.jpg",
        "masks": {"path": "masks/{name}.png", "values": "ids"},
        "splits": {
            "a": {"include": ["a*"]},
            "rest": {"exclude": ["a*"]},
            "listed": {"names": "order.txt"},
        },
    }
    assert open_with(own, "a", **changes).names == ["a1", "a2"]
    assert open_with(own, "rest", **changes).names == ["b1"]
    assert open_with(own, "listed", **changes).names == ["b1", "a2", "a1"]
    (own / "order.txt").write_text("b1\nb2\n")
    with pytest.raises(DataError, match=r"order\.txt, line 2: there is no picture 'b2'.*'b1'"):
        open_with(own, "listed", **changes)
    (own / "order.txt").write_text("b1\na1\nb1.jpg\n")
    with pytest.raises(DataError, match=r"line 3: 'b1\.jpg' stands in line 1 already"):
        open_with(own, "listed", **changes)


def test_masks_beside_their_pictures_are_no_pictures(own: Path) -> None:
    for name in ("a", "b"):
        put(own / f"train/{name}.png")
        put(own / f"train/{name}_L.png")
    put(own / "train/._a.png")  # what macOS leaves on foreign disks
    dataset = open_with(
        own,
        pictures=["{split}/{name}.png", "{split}/{name}.jpg"],
        masks={"path": "{split}/{name}_L.png", "values": "ids"},
    )
    assert dataset.names == ["a", "b"]


def test_the_first_mask_that_exists_is_taken(own: Path) -> None:
    put_pairs(own, "train", "a", "b")
    put(own / "train/better/b.png", 0)
    masks = [
        {"path": "{split}/better/{name}.png", "values": "ids"},
        {"path": "{split}/masks/{name}.png", "values": "train_ids"},
    ]
    dataset = open_with(own, masks=masks)
    assert [int(dataset[index].labels[0, 0]) for index in (0, 1)] == [1, 0]


def test_a_linked_folder_is_followed(own: Path, tmp_path: Path) -> None:
    put_pairs(tmp_path / "disk", "train", "a")
    (own / "train").mkdir(parents=True)
    for folder in ("pictures", "masks"):
        (own / "train" / folder).mkdir()
        (own / "train" / folder / "monday").symlink_to(tmp_path / "disk/train" / folder)
    assert open_with(own).names == ["monday/a"]


def test_the_root_may_be_absolute(own: Path, tmp_path: Path) -> None:
    put_pairs(tmp_path / "elsewhere", "train", "a")
    assert open_with(own, root=str(tmp_path / "elsewhere")).names == ["a"]


def test_a_missing_root_says_what_to_do(own: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*/own for 'own': .*RTSEG_DATA.*'root'"):
        open_with(own)


def test_a_missing_folder_and_an_empty_one_are_named(own: Path) -> None:
    own.mkdir()
    with pytest.raises(DataError, match=r"no folder .*/own/train/pictures"):
        open_with(own)
    (own / "train/pictures").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no picture .*/own/train/pictures/\{name\}\.jpg"):
        open_with(own)


def test_a_picture_without_a_mask_is_named_at_once(own: Path) -> None:
    put_pairs(own, "train", "a", "b", "c")
    (own / "train/masks/b.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 pictures .*pictures/b\.jpg has no mask .*b\.png"):
        open_with(own)
    dataset = open_dataset(own.parent / "own.yaml", "train", check_files=False)
    assert len(dataset.missing()) == 1
    with pytest.raises(DataError, match=r"pictures/b\.jpg has no mask"):
        dataset[1]


def test_a_mask_of_another_size_is_named(own: Path) -> None:
    put_pairs(own, "train", "a")
    put(own / "train/masks/a.png", size_hw=(6, 4))
    with pytest.raises(DataError, match=r"masks/a\.png is 4x6 but its picture .*a\.jpg is 6x4"):
        open_with(own)[0]


def test_two_pictures_of_one_name_are_named(own: Path) -> None:
    put_pairs(own, "train", "a")
    put(own / "train/pictures/a.png")
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png are both called 'a'"):
        open_with(own, pictures=["{split}/pictures/{name}.jpg", "{split}/pictures/{name}.png"])


WRONG_CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"picturs": "x"}, r"unknown key 'picturs'\. Did you mean 'pictures'"),
    ({"pictures": "{split}/*.jpg"}, r"pictures\.0 is .*\{name\} must stand in it once"),
    ({"pictures": "{city}/{name}.jpg"}, r"\{city\} is unknown; \{name\} and \{split\} are allowed"),
    ({"masks": {"path": "masks/all.png", "values": "ids"}}, r"\{name\} must stand in it"),
    ({"masks": {"path": "{name}.png", "values": "id"}}, r"masks\.0\.values is 'id'"),
    ({"splits": {"train": {"foldr": "x"}}}, r"unknown key 'splits\.train\.foldr'.*'folder'"),
    ({"pictures": "all/{name}.jpg"}, "splits 'train' and 'val' hold the same pictures"),
    ({"void": {"ids": [2]}}, "own.yaml: the id 2 stands for 'road' and for 'void'"),
    ({"classes": [{"name": "a", "colour": [1, 2]}]}, r"classes\.0\.colour"),
    ({"classes": [{"name": "a", "colour": [1, 2, 256]}]}, r"classes\.0\.colour\.2 is 256"),
    ({"classes": [CONFIG["classes"][0]] * 2}, "names 'ground' twice"),
    ({"layout": "foldr"}, r"unknown data set layout 'foldr'\. Did you mean 'folder'"),
    ({"splits": {"train": {"include": ["x*"]}}}, "own.yaml: .*'x\\*' fits none of the 1 pictures"),
]


@pytest.mark.parametrize(("changes", "problem"), WRONG_CONFIGS, ids=lambda value: str(value)[:40])
def test_wrong_settings_are_named(own: Path, changes: dict[str, Any], problem: str) -> None:
    put_pairs(own, "train", "a")
    with pytest.raises(ConfigError, match=problem):
        open_with(own, **changes)


def test_an_unknown_split_is_named(own: Path) -> None:
    put_pairs(own, "train", "a")
    with pytest.raises(ConfigError, match=r"no split 'tran'\. Did you mean 'train'.*train, val"):
        open_with(own, "tran")
    with pytest.raises(ConfigError, match="'train' stands twice"):
        open_with(own, "train+train")


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no such data set file: .*camvid\.yaml.*configs/datasets"
    ):
        open_dataset(tmp_path / "camvid.yaml", "train")


def test_the_example_works_as_it_is_written(own: Path, repository: Path) -> None:
    root = own.parent / "my_drives"
    put(root / "train/pictures/monday/0001.jpg")
    put(root / "train/masks/monday/0001.png", 3)
    dataset = open_dataset(repository / "configs/datasets/folder.yaml", "train")
    assert dataset.names == ["monday/0001"]
    assert dataset.classes.names[dataset[0].labels[0, 0]] == "road"
