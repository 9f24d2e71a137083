"""TGS salt in the folders of the original, with its traps, and the stand-in that is drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rtseg.cli import main
from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets import load_dataset_config, open_dataset
from rtseg.training.datasets.audit import audit
from rtseg.training.datasets.run_length import decode_runs, encode_runs
from rtseg.training.datasets.salt_standin import SALT, draw_section

TRAIN = ["000e88023b", "003caa7ff1", "00a3af90ae"]
VAL = ["0042b0ab40", "01e2cb3b95", "020b3ed0da"]


@pytest.fixture
def configs(repository: Path) -> Path:
    return repository / "configs" / "datasets"


def body() -> np.ndarray:
    mask = np.zeros((101, 101), np.uint8)
    mask[40:, :30] = mask[90:, 30:60] = 1
    return mask


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six sections as Kaggle hands them out: grey or RGB files, masks of 16 bits, one of 8."""
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    root = tmp_path / "tgs_salt"
    for folder in ("train/images", "train/masks", "test/images"):
        (root / folder).mkdir(parents=True)
    runs, depths = ["id,rle_mask"], ["id,z"]
    for index, name in enumerate(TRAIN + VAL):
        grey = np.full((101, 101), 40 * index, np.uint8)
        picture = grey if index % 2 else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        cv2.imwrite(str(root / f"train/images/{name}.png"), picture)
        mask = np.zeros((101, 101), np.uint8) if index == 1 else body()
        pixels = mask * np.uint8(255) if index == 2 else mask.astype(np.uint16) * 65535
        cv2.imwrite(str(root / f"train/masks/{name}.png"), pixels)
        runs.append(f"{name},{encode_runs(mask)}")
        depths.append(f"{name},{100 + index}")
    cv2.imwrite(str(root / "test/images/0005bb9630.png"), np.zeros((101, 101), np.uint8))
    depths.append("0005bb9630,913")
    (root / "train.csv").write_text("\r\n".join(runs) + "\r\n", encoding="utf-8-sig")
    (root / "depths.csv").write_text("\n".join(depths) + "\n")
    return root


@pytest.mark.parametrize("config", ["tgs_salt.yaml", "tgs_salt_rle.yaml"])
def test_sections_masks_and_splits(tree: Path, configs: Path, config: str) -> None:
    dataset = open_dataset(configs / config, "train")
    assert dataset.names == TRAIN
    assert open_dataset(configs / config, "val").names == VAL
    assert dataset.classes == SALT
    for index, expected in enumerate([body(), np.zeros((101, 101)), body()]):
        sample = dataset[index]
        assert sample.image_bgr.shape == (101, 101, 3)
        assert (sample.image_bgr == 40 * index).all()
        np.testing.assert_array_equal(sample.labels, expected)


def test_the_command_looks_at_it(tree: Path, configs: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["dataset", str(configs / "tgs_salt.yaml"), "--split", "train", "-o", str(sheet)]
    assert main(arguments) == 0
    assert cv2.imread(str(sheet)) is not None


def test_a_mask_with_grey_edges_is_an_error(tree: Path, configs: Path) -> None:
    blurred = cv2.GaussianBlur(body() * np.uint8(255), (5, 5), 0)
    cv2.imwrite(str(tree / f"train/masks/{TRAIN[0]}.png"), blurred)
    with pytest.raises(DataError, match="other unlisted values"):
        _ = open_dataset(configs / "tgs_salt.yaml", "train")[0]


def test_runs_go_down_the_columns_from_pixel_one() -> None:
    mask = np.array([[0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], np.uint8)
    assert encode_runs(mask) == "2 2 5 2 12 1"
    np.testing.assert_array_equal(decode_runs("2 2 5 2 12 1", (4, 3)), mask)
    assert encode_runs(np.zeros((4, 3), np.uint8)) == ""
    assert decode_runs(" ", (4, 3)).sum() == 0
    assert decode_runs("1 12", (4, 3)).all()


def test_any_mask_survives_its_runs() -> None:
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        mask = (rng.random((13, 7)) < share).astype(np.uint8)
        np.testing.assert_array_equal(decode_runs(encode_runs(mask), (13, 7)), mask)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2 3", "no pairs"),
        ("1 -2", "no pairs"),
        ("1 x", "no pairs"),
        ("0 2", "doesn't fit"),
        ("1 0", "doesn't fit"),
        ("5 3 6 1", "doesn't fit: runs come in order, after pixel 7"),
        ("11 3", r"the picture has 12 pixels \(3x4\)"),
    ],
)
def test_wrong_runs_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        decode_runs(text, (4, 3))


def test_wrong_tables_are_refused(tree: Path, configs: Path) -> None:
    config, table = configs / "tgs_salt_rle.yaml", tree / "train.csv"
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    problems = {
        "\n".join([*lines, lines[1]]): "stands there twice",
        "\n".join([*lines, "../../secret,"]): "is no picture's name",
        "\n".join(["id,mask", *lines[1:]]): "has no column 'rle_mask'; it has id, mask",
        "\n".join([*lines, "ffffffffff,"]): "ffffffffff.png is missing",
    }
    for text, complaint in problems.items():
        table.write_text(text)
        with pytest.raises(DataError, match=complaint):
            open_dataset(config, "train")
    table.write_text("\n".join([lines[0], f"{TRAIN[0]},1 99999", *lines[2:]]))
    with pytest.raises(DataError, match=rf"train.csv, {TRAIN[0]}: the run of 99999"):
        _ = open_dataset(config, "train")[0]
    table.unlink()
    with pytest.raises(DataError, match="can't read the table"):
        open_dataset(config, "train")


def test_a_section_is_a_function_of_seed_and_number() -> None:
    grey, mask = draw_section(1, 8)
    again, mask_again = draw_section(1, 8)
    np.testing.assert_array_equal(grey, again)
    np.testing.assert_array_equal(mask, mask_again)
    assert grey.dtype == mask.dtype == np.uint8
    assert grey.shape == mask.shape == (101, 101)
    assert (draw_section(1, 9)[0] != grey).any()
    assert (draw_section(2, 8)[0] != grey).any()


def test_the_stand_in_is_like_the_challenge(configs: Path) -> None:
    dataset = open_dataset(configs / "salt_standin.yaml", "val")
    found = audit(dataset)
    assert found.classes == SALT
    assert not found.problems
    assert set(found.sizes) == {(101, 101)}
    assert 0.3 < 1 - found.pictures[1] / len(dataset) < 0.48  # no salt in 39 of 100
    assert 0.12 < found.shares[1] < 0.4
    image = dataset[0].image_bgr
    assert (image == image[..., :1]).all()
    assert 20 < image.std() < 60


def test_salt_is_quieter_than_layers(configs: Path) -> None:
    """What is to be found can be seen: along the columns, salt changes less."""
    calmer = 0
    for index in range(30):
        grey, mask = draw_section(5, index, empty_share=0)
        if 800 < mask.sum() < 8000:
            smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 2)
            steps = np.abs(np.diff(smooth, axis=0))
            calmer += int(steps[mask[1:] == 1].mean() < steps[mask[1:] == 0].mean())
    assert calmer >= 18


def test_splits_with_one_seed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "layout: salt_standin\nsplits: {a: {seed: 1, pictures: 2}, b: {seed: 1, pictures: 3}}\n"
    )
    with pytest.raises(ConfigError, match="share pictures"):
        load_dataset_config(path)
