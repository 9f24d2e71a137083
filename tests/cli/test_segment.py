"""`rtseg segment`: pictures in, labelled pictures out, nothing lost on the way."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from rtseg.classes import CAMVID
from rtseg.cli import main
from rtseg.cli._picture_files import find_pictures, read_picture
from rtseg.cli._segmentation import with_legend, working_hw
from rtseg.networks import NETWORKS, build_network
from rtseg.networks.trained import ModelCard, load_trained, save_trained
from rtseg.training.predictor import Predictor

TRAINED_HW = (96, 128)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network, as it was born, for CamVid's classes."""
    torch.manual_seed(0)
    name = min(NETWORKS, key=lambda known: NETWORKS[known].card.gmacs)
    path = tmp_path_factory.mktemp("weights") / "newborn.safetensors"
    save_trained(
        path, build_network(name, len(CAMVID)), ModelCard("newborn", name, CAMVID, TRAINED_HW)
    )
    return path


def picture(height: int = 90, width: int = 120, seed: int = 0) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def saved(path: Path, image: npt.NDArray[np.uint8] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture() if image is None else image)
    return path


def run(*arguments: object) -> int:
    return main(["segment", *map(str, arguments), "--device", "cpu", "--precision", "fp32"])


def test_a_picture_gets_its_overlay_legend_and_mask(weights: Path, tmp_path: Path) -> None:
    street = saved(tmp_path / "street.png")
    assert run(weights, street, "-o", tmp_path / "out", "--masks", "--native") == 0
    mask = cv2.imread(str(tmp_path / "out" / "street_mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    trained = load_trained(weights)
    expected = Predictor(trained.network, trained.card.normalisation, torch.device("cpu")).labels(
        [picture()]
    )
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, expected[0])
    labelled = cv2.imread(str(tmp_path / "out" / "street_labelled.png"))
    assert labelled is not None
    assert labelled.shape[1] > 120
    blend = (picture().astype(float) + CAMVID.palette_bgr()[mask]) / 2
    assert np.abs(labelled[20:70, 20:100] - blend[20:70, 20:100]).mean() < 12


def test_alpha_nought_leaves_the_picture(weights: Path, tmp_path: Path) -> None:
    street = saved(tmp_path / "street.png")
    assert run(weights, street, "-o", tmp_path, "--alpha", 0) == 0
    labelled = cv2.imread(str(tmp_path / "street_labelled.png"))
    assert labelled is not None
    assert np.abs(labelled[20:70, 20:100].astype(int) - picture()[20:70, 20:100]).mean() < 2


def test_one_broken_picture_loses_nothing_else(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = saved(tmp_path / "a.png"), saved(tmp_path / "c.jpg")
    broken = tmp_path / "b.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    empty = tmp_path / "d.png"
    empty.touch()
    missing = tmp_path / "missing.png"
    assert run(weights, first, broken, missing, empty, last, "-o", tmp_path / "out") == 2
    output = capsys.readouterr()
    assert (tmp_path / "out" / "a_labelled.png").is_file()
    assert (tmp_path / "out" / "c_labelled.png").is_file()
    complaints = output.err.splitlines()
    for path in (broken, missing, empty):
        assert sum(str(path) in line for line in complaints) == 1
    assert "Traceback" not in output.err
    assert str(last) in output.out


def test_results_are_not_overwritten_unasked(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    street, out = saved(tmp_path / "street.png"), tmp_path / "out"
    out.mkdir()
    (out / "street_mask.png").write_text("mine")
    assert run(weights, street, "-o", out, "--masks") == 2
    assert "street_mask.png exists: --overwrite replaces it" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["street_mask.png"]
    assert (out / "street_mask.png").read_text() == "mine"
    assert run(weights, street, "-o", out, "--masks", "--overwrite") == 0
    assert cv2.imread(str(out / "street_mask.png")) is not None


def test_equal_names_from_two_folders_both_arrive(weights: Path, tmp_path: Path) -> None:
    one, two = saved(tmp_path / "1" / "x.png"), saved(tmp_path / "2" / "x.jpg")
    assert run(weights, one, two, "-o", tmp_path / "out") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["x-2_labelled.png", "x_labelled.png"]


@pytest.mark.parametrize("native", [[], ["--native"]])
def test_a_tiny_picture_works(weights: Path, tmp_path: Path, native: list[str]) -> None:
    tiny = saved(tmp_path / "tiny.png", picture(5, 7))
    assert run(weights, tiny, "-o", tmp_path, "--masks", *native) == 0
    mask = cv2.imread(str(tmp_path / "tiny_mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == (5, 7)


def test_a_4k_picture_works(weights: Path, tmp_path: Path) -> None:
    large = saved(tmp_path / "large.jpg", picture(2160, 3840))
    assert run(weights, large, "-o", tmp_path, "--masks") == 0
    mask = cv2.imread(str(tmp_path / "large_mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == (2160, 3840)


def test_grey_and_deep_and_transparent_pictures_work(weights: Path, tmp_path: Path) -> None:
    grey = saved(tmp_path / "grey.png", picture()[..., 0].copy())
    deep = tmp_path / "deep.png"
    assert cv2.imwrite(str(deep), picture().astype(np.uint16) * 257)
    clear = saved(tmp_path / "clear.png", np.dstack([picture(), picture()[..., :1]]))
    assert run(weights, grey, deep, clear, "-o", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_folders_and_patterns_are_expanded(tmp_path: Path) -> None:
    names = ["b.png", "a.jpg", "a_labelled.png", "a_mask.png", "lone_mask.png", "C.JPEG"]
    paths = {name: saved(tmp_path / name) for name in names}
    (tmp_path / "notes.txt").touch()
    (tmp_path / "inner.png").mkdir()
    originals = [paths[name] for name in ("C.JPEG", "a.jpg", "b.png", "lone_mask.png")]
    assert find_pictures([str(tmp_path)]) == (originals, [])
    assert find_pictures([str(tmp_path / "*.png")])[0] == [paths["b.png"], paths["lone_mask.png"]]
    both = find_pictures([str(paths["b.png"]), str(tmp_path), str(paths["a_mask.png"])])
    assert both[0] == [paths["b.png"], *originals[:2], originals[3], paths["a_mask.png"]]


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    odd = saved(tmp_path / "x[1].png")
    assert find_pictures([str(odd)]) == ([odd], [])


def test_what_names_no_picture_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("no-such-weights", tmp_path, tmp_path / "*.png") == 2
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 2
    assert "no picture (.png, " in complaints[0]
    assert "no such file, folder or pattern" in complaints[1]


def test_pictures_are_turned_as_their_exif_says(tmp_path: Path) -> None:
    _, plain = cv2.imencode(".jpg", picture(90, 120))
    # A TIFF header with one entry: orientation (0x0112) = 6, turn right.
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    turned = tmp_path / "turned.jpg"
    turned.write_bytes(plain.tobytes()[:2] + segment + plain.tobytes()[2:])
    assert read_picture(turned).shape == (120, 90, 3)


@pytest.mark.parametrize(
    ("picture_hw", "expected"),
    [
        ((360, 480), (360, 480)),
        ((180, 240), (360, 480)),
        ((2160, 3840), (312, 554)),
        ((1, 10_000), (4, 41569)),
    ],
)
def test_the_working_size_keeps_proportions(
    picture_hw: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert working_hw(picture_hw, (360, 480)) == expected


def test_the_legend_is_readable_beside_a_small_picture() -> None:
    image = picture(20, 30)
    result = with_legend(image, CAMVID, np.full(11, 1 / 11))
    assert np.array_equal(result[:20, :30], image)
    assert result.shape[0] == 240
    assert not result[20:, :30].any()


@pytest.mark.parametrize("alpha", ["2", "-0.1", "nan", "much"])
def test_alpha_is_a_share(alpha: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("x", "y", "--alpha", alpha)
    assert "is no number from 0 to 1" in capsys.readouterr().err


def test_a_device_without_memory_loses_one_picture_alone(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large, small = saved(tmp_path / "large.png", picture(200, 300)), saved(tmp_path / "small.png")
    labels = Predictor.labels

    def short_of_memory(
        self: Predictor, images: list[npt.NDArray[np.uint8]]
    ) -> npt.NDArray[np.uint8]:
        if images[0].shape[0] == 200:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return labels(self, images)

    monkeypatch.setattr(Predictor, "labels", short_of_memory)
    assert run(weights, large, small, "-o", tmp_path / "out", "--native") == 2
    assert f"{large}: too large for the memory of cpu: leave out" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small_labelled.png"]


def test_a_place_that_can_not_be_written_is_named(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    street, file = saved(tmp_path / "street.png"), tmp_path / "file"
    file.touch()
    assert run(weights, street, "-o", file) == 2
    assert f"can't write {file / 'street_labelled.png'}" in capsys.readouterr().err


def test_objects_get_lines_and_numbers(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    street, out, plain = saved(tmp_path / "street.png"), tmp_path / "out", tmp_path / "plain"
    assert run(weights, street, "-o", out, "--masks", "--native", "--instances") == 0
    assert " objects -> " in capsys.readouterr().out
    assert run(weights, street, "-o", plain, "--masks", "--native") == 0
    assert not (plain / "street_objects.png").exists()
    mask, ids, labelled, without = (
        cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        for path in (
            out / "street_mask.png", out / "street_objects.png",
            out / "street_labelled.png", plain / "street_labelled.png",
        )
    )  # fmt: skip
    assert mask is not None
    assert ids is not None
    assert ids.dtype == np.uint16
    assert ids.shape == mask.shape
    counted = [CAMVID.id_of(name) for name in ("Car", "Pedestrian", "Bicyclist")]
    assert np.isin(mask[ids > 0], counted).all()
    assert labelled is not None
    assert without is not None
    changed = (labelled != without).any(axis=-1)[:90, :120]
    assert not changed[ids == 0].any()
    assert changed.any() == ids.any()


def test_objects_that_the_network_has_no_maps_for_are_one_readable_line(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    street = saved(tmp_path / "street.png")
    assert run(weights, street, "-o", tmp_path / "out", "--instances", "energy") == 2
    assert "has no maps for 'energy'" in capsys.readouterr().err
