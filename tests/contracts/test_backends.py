"""What every backend owes; a new one is tested by being registered.

Each case builds an engine for the network that is cheap enough (two convolutions by default where
a build takes a compiler, a real network with ``-m slow``) and compares it with eager in float32.
``RTSEG_REQUIRE=cuda,tensorrt`` turns a skip for want of these into a failure.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from rtseg.backends import (
    BACKENDS,
    Engine,
    EngineFolder,
    OutputKind,
    Parallelism,
    Precision,
    load_engine,
)
from rtseg.demo_drive import DemoDrive
from rtseg.errors import BackendUnavailableError, EngineError, MissingExtraError
from rtseg.export.build import BuildRequest, build_engine
from rtseg.export.builder import BUILDERS
from rtseg.export.calibrate import calibration_pictures
from rtseg.export.eager import eager_engine
from rtseg.fit import Fit
from rtseg.frames import Image
from rtseg.networks.trained import TrainedNetwork, load_trained

LEAST_AGREEMENT = {"fp32": 0.9999, "fp16": 0.995, "bf16": 0.995, "int8": 0.97}
COMPILED = ("inductor", "tensorrt")
REAL = "linknet-camvid"
SIZES = {"nearest-colour": (94, 126), REAL: (126, 224)}
"""Sizes that need padding."""
ONE = Parallelism(1, 1)
OPENINGS = 5
MOST_KEPT_BYTES = 40e6  # as many copies of the real network's weights would be 230 MB


@dataclass(frozen=True)
class Case:
    """One engine: what is built, in which precision, for which kind of device."""

    backend: str
    device: str
    precision: Precision
    model: str

    @property
    def hw(self) -> tuple[int, int]:
        return SIZES[self.model]

    def param(self) -> object:
        real, half = self.model == REAL, self.precision in ("fp16", "bf16")
        costly = (real or half) if self.backend in COMPILED else (real and half)
        marks = [pytest.mark.slow] * costly + [pytest.mark.cuda] * (self.device == "cuda")
        name = f"{self.backend}-{self.device}-{self.precision}-{self.model}"
        return pytest.param(self, marks=marks, id=name)


CASES = [
    Case(name, device, precision, model)
    for name, backend in BACKENDS.items()
    for device in backend.devices
    for precision in backend.precisions
    for model in SIZES
    if (precision, model) != ("int8", "nearest-colour")  # too few weights to be worth rounding
]


@pytest.fixture(scope="module", params=[case.param() for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    case: Case = request.param
    if case.device == "cuda" and not torch.cuda.is_available():
        skip("there is no CUDA device", "cuda", case.backend)
    try:
        BACKENDS[case.backend].require(torch.device(case.device))
    except (BackendUnavailableError, MissingExtraError) as error:
        skip(str(error), case.backend)
    return case


@pytest.fixture(scope="module")
def models(nearest_colour: TrainedNetwork) -> dict[str, TrainedNetwork]:
    return {"nearest-colour": nearest_colour, REAL: load_trained(REAL)}


@pytest.fixture(scope="module")
def trained(case: Case, models: dict[str, TrainedNetwork]) -> TrainedNetwork:
    return models[case.model]


@pytest.fixture(scope="module")
def originals(shared_data: Path) -> dict[str, list[Image]]:
    """Four different frames of each kind of picture."""
    kinds = {
        "demo": demo_drive(),
        "motorway": film(shared_data / "videos" / "udacity_vd_test_video.mp4"),
        "camvid": pictures(shared_data / "camvid" / "val"),
    }
    return {kind: list(islice(images, 4)) for kind, images in kinds.items()}


@pytest.fixture(scope="module")
def sequences(originals: dict[str, list[Image]], case: Case) -> dict[str, list[Image]]:
    """The frames at the engine's size."""
    return {
        kind: [Fit("stretch", image.shape[:2], case.hw).apply(image) for image in images]
        for kind, images in originals.items()
    }


@pytest.fixture(scope="module")
def folder(
    case: Case,
    trained: TrainedNetwork,
    sequences: dict[str, list[Image]],
    tmp_path_factory: pytest.TempPathFactory,
) -> EngineFolder:
    return build(case, trained, sequences, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def engine(case: Case, folder: EngineFolder) -> Iterator[Engine]:
    """One for all tests of a case: what one call leaves behind, the next must not mind."""
    with load_engine(folder, case.device, ONE) as engine:
        yield engine


@pytest.fixture(scope="module")
def references(models: dict[str, TrainedNetwork]) -> dict[str, Engine]:
    return {
        name: eager_engine(trained, SIZES[name], "fp32", device="cpu", parallelism=ONE)
        for name, trained in models.items()
    }


@pytest.fixture(scope="module")
def reference(case: Case, references: dict[str, Engine]) -> Engine:
    return references[case.model]


def skip(reason: str, *names: str) -> None:
    """Skip the test, or fail it where one of `names` is required."""
    required = {name.strip() for name in os.environ.get("RTSEG_REQUIRE", "").split(",")}
    if missing := required & set(names):
        pytest.fail(f"RTSEG_REQUIRE names {', '.join(sorted(missing))}, but {reason}")
    pytest.skip(reason)


def build(
    case: Case,
    trained: TrainedNetwork,
    sequences: dict[str, list[Image]],
    root: Path,
    output: OutputKind = "labels",
) -> EngineFolder:
    every = [image for images in sequences.values() for image in images]
    wanted = BuildRequest(
        trained,
        "0" * 64,
        case.hw,
        case.backend,
        case.precision,
        output,
        device=torch.device(case.device),
        calibration=calibration_pictures(every, case.hw, "the test's own pictures"),
    )
    try:
        BUILDERS[case.backend].require(wanted)
    except (BackendUnavailableError, MissingExtraError) as error:
        skip(str(error))
    return build_engine(wanted, root)


def demo_drive() -> Iterator[Image]:
    drive = DemoDrive(7, 320, 190, 2.0)
    yield from (drive.render(index)[0] for index in range(4))


def film(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as opened:
        for frame in islice(opened.decode(video=0), 0, None, 5):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def pictures(path: Path) -> Iterator[Image]:
    for file in sorted(path.glob("*.png"))[::25]:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        assert image is not None
        yield np.asarray(image, np.uint8)


def noise(case: Case, seed: int = 0) -> Image:
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 255, (*case.hw, 3), np.uint8)
    return np.asarray(cv2.blur(image, (9, 9)), np.uint8)


@pytest.mark.parametrize("kind", ["demo", "motorway", "camvid"])
def test_class_maps_are_those_of_eager(
    case: Case,
    engine: Engine,
    reference: Engine,
    sequences: dict[str, list[Image]],
    kind: str,
) -> None:
    agreement, maps = [], []
    for image in sequences[kind]:
        labels = engine.infer(image[None])
        assert labels.dtype == np.uint8
        assert labels.shape == (1, *case.hw)
        agreement.append(np.mean(labels == reference.infer(image[None])))
        maps.append(labels.tobytes())
    assert np.mean(agreement) >= LEAST_AGREEMENT[case.precision], agreement
    assert len(set(maps)) == len(maps), "every frame has a class map of its own"


def test_scores_are_probabilities(
    case: Case,
    trained: TrainedNetwork,
    sequences: dict[str, list[Image]],
    folder: EngineFolder,
    engine: Engine,
    tmp_path: Path,
) -> None:
    quick = case.backend in COMPILED or case.precision == "int8"
    if quick and (case.precision in ("fp32", "int8") or case.model == REAL):
        pytest.skip("another build, which is shown in the other precisions")
    image = sequences["camvid"][0][None]
    with load_engine(build(case, trained, sequences, tmp_path, "scores"), case.device, ONE) as it:
        scores = it.infer(image)
    assert scores.dtype == np.float32
    assert scores.shape == (1, len(trained.card.classes), *case.hw)
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-3)
    agreement = np.mean(scores.argmax(1) == engine.infer(image))
    assert agreement >= LEAST_AGREEMENT[case.precision]


def test_the_engine_says_what_it_is(case: Case, engine: Engine, trained: TrainedNetwork) -> None:
    info = engine.info
    assert (info.model, info.backend, info.precision) == (case.model, case.backend, case.precision)
    assert (info.input_hw, info.batch, info.output) == (case.hw, 1, "labels")
    assert info.classes == trained.card.classes
    assert info.device.startswith(case.device)


def test_wrong_input_is_refused(case: Case, engine: Engine) -> None:
    good = noise(case)[None]
    wrong = [good[0], good[:, 1:], np.repeat(good, 2, 0), good.astype(np.float32), good[..., :1]]
    for images in wrong:
        with pytest.raises(EngineError, match="takes BGR pictures uint8"):
            engine.infer(images)
    assert engine.infer(good).shape == (1, *case.hw)


def test_views_and_read_only_pictures_are_taken(case: Case, engine: Engine) -> None:
    image = noise(case)
    expected = engine.infer(image[None])
    wide = np.zeros((case.hw[0], case.hw[1] + 7, 3), np.uint8)
    wide[:, :-7] = image
    assert np.array_equal(engine.infer(wide[None, :, :-7]), expected)
    frozen = image.copy()
    frozen.flags.writeable = False
    assert np.array_equal(engine.infer(frozen[None]), expected)


def test_a_result_belongs_to_the_caller(case: Case, engine: Engine) -> None:
    first = engine.infer(noise(case, 1)[None])
    before = first.copy()
    engine.infer(noise(case, 2)[None])
    assert np.array_equal(first, before)
    first[:] = 7  # and the next call doesn't mind
    assert np.array_equal(engine.infer(noise(case, 1)[None]), before)


def test_two_engines_at_once(case: Case, folder: EngineFolder, engine: Engine) -> None:
    images = [noise(case, seed)[None] for seed in range(3)]
    expected = [engine.infer(image) for image in images]
    with load_engine(folder, case.device, ONE) as second:
        for image, labels in zip(images, expected, strict=True):
            assert np.array_equal(second.infer(image), labels)
            assert np.array_equal(engine.infer(image), labels)
    assert np.array_equal(engine.infer(images[0]), expected[0])


def test_use_from_another_thread(case: Case, engine: Engine) -> None:
    image = noise(case)[None]
    expected = engine.infer(image)
    found = []
    thread = threading.Thread(target=lambda: found.append(engine.infer(image)))
    thread.start()
    thread.join()
    assert np.array_equal(found[0], expected)


def test_several_threads_at_a_time(case: Case, folder: EngineFolder, engine: Engine) -> None:
    images = [noise(case, seed)[None] for seed in range(12)]
    expected = [engine.infer(image) for image in images]
    with (
        load_engine(folder, case.device, Parallelism(3, 1)) as shared,
        ThreadPoolExecutor(3) as threads,
    ):
        results = list(threads.map(shared.infer, images))
    for labels, alone in zip(results, expected, strict=True):
        assert np.array_equal(labels, alone)


def test_a_closed_engine_refuses(case: Case, folder: EngineFolder) -> None:
    engine = load_engine(folder, case.device, ONE)
    engine.infer(noise(case)[None])
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="is closed"):
        engine.infer(noise(case)[None])


def test_other_threads_go_on_during_a_call(case: Case, engine: Engine) -> None:
    turns, over = 0, False

    def turn() -> None:
        nonlocal turns
        while not over:
            turns += 1

    pictures, during = noise(case)[None], 0
    engine.infer(pictures)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turn)
        for _ in range(20):
            before = turns
            engine.infer(pictures)
            during += turns - before
        over = True
    assert during > 20 * 50  # with Python's lock held in the calls there would be none


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts are read from /proc")
def test_opening_and_closing_leaves_nothing_behind(case: Case, folder: EngineFolder) -> None:
    def once() -> None:
        with load_engine(folder, case.device, ONE) as engine:
            engine.infer(noise(case)[None])
            with ThreadPoolExecutor(1) as thread:
                thread.submit(engine.infer, noise(case)[None]).result()

    def growth() -> list[float]:
        before = held()
        for _ in range(OPENINGS):
            once()
        return [after - start for after, start in zip(held(), before, strict=True)]

    once()
    # What a runtime keeps for the next time is kept once; a leak grows every time.
    files = threads = memory = float("inf")
    for _ in range(3):
        files, threads, memory = map(min, (files, threads, memory), growth())
        if files <= 0 and threads <= 0 and memory < MOST_KEPT_BYTES:
            break
    assert files <= 0
    assert threads <= 0
    assert memory < MOST_KEPT_BYTES


def held() -> tuple[int, int, float]:
    """Return this process's open files, threads and bytes of memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files, threads = (len(list(Path("/proc/self", kind).iterdir())) for kind in ("fd", "task"))
    return files, threads, pages * 4096.0
