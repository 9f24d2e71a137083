"""The pictures in memory and on disk: the same crops, errors that come through, ended threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from rtseg.classes import VOID, ClassSet
from rtseg.errors import DataError
from rtseg.training.augment import crop_map
from rtseg.training.datasets.dataset import Sample, SegmentationDataset
from rtseg.training.memory import PictureStore

CLASSES = ClassSet("three", ("a", "b", "c"), ((1, 1, 1), (2, 2, 2), (3, 3, 3)))


class Pictures(SegmentationDataset):
    """Pictures of growing size whose pixels are their number; counts how often it is read."""

    def __init__(self, count: int = 5, broken: int | None = None) -> None:
        super().__init__(CLASSES, [f"picture {index}" for index in range(count)])
        self.broken = broken
        self.reads: list[int] = []
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        self.reads.append(index)
        self.threads.add(threading.current_thread().name)
        if index == self.broken:
            raise DataError(f"{self.names[index]} can't be read")
        hw = (10 + index, 20)
        labels = np.full(hw, index % 3, np.uint8)
        labels[0] = VOID
        return Sample(np.full((*hw, 3), index, np.uint8), labels, self.names[index])


def crops(store: PictureStore, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    maps = [crop_map((8, 8), 1.0, (0.0, 1.0))] * len(indices)
    return store.crops(indices, maps, (8, 8), (0, 0, 0))


def decoding_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_memory_holds_every_picture_whatever_its_size() -> None:
    told = []
    dataset = Pictures()
    store = PictureStore(dataset, "cpu", progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]
    assert store.decode_images_per_s > 0
    assert store.num_bytes == sum(4 * 20 * (10 + index) for index in range(5))
    dataset.reads.clear()
    images, labels = crops(store, [4, 1, 4])
    assert images.dtype == labels.dtype == torch.uint8
    assert images.flatten(1).unique(dim=1).squeeze(1).tolist() == [4, 1, 4]
    assert labels.flatten(1).unique(dim=1).squeeze(1).tolist() == [1, 1, 1]
    assert (store.labels(3).shape, store.mean_grey(3)) == ((13, 20), pytest.approx(3))
    assert not dataset.reads
    assert not decoding_threads()


def test_disk_cuts_the_same_crops_and_reads_each_picture_once() -> None:
    dataset = Pictures()
    with PictureStore(dataset, "cpu", cache="disk", threads=2) as store:
        assert not dataset.reads
        store.prefetch([2, 0, 2])
        assert store.labels(2).shape == (12, 20)
        cut = crops(store, [2, 0, 2])
        assert sorted(dataset.reads) == [0, 2]
        assert all(name.startswith("decode") for name in dataset.threads)
        expected = crops(PictureStore(Pictures(), "cpu"), [2, 0, 2])
        assert all(torch.equal(one, other) for one, other in zip(cut, expected, strict=True))
        crops(store, [2])
        assert dataset.reads.count(2) == 2
    assert not decoding_threads()


def test_prefetch_forgets_what_is_never_fetched() -> None:
    dataset = Pictures(60)
    with PictureStore(dataset, "cpu", cache="disk", threads=1) as store:
        for first in range(0, 60, 4):
            store.prefetch(range(first, first + 4))
        crops(store, [56, 57, 58, 59])
        dataset.reads.clear()
        crops(store, [0])
        assert 0 in dataset.reads


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_classes_are_counted(cache: str) -> None:
    with PictureStore(Pictures(4), "cpu", cache=cache) as store:
        counts = store.class_counts()
    assert counts.pixels.tolist() == [20 * (9 + 12), 20 * 10, 20 * 11]
    assert counts.pixels_where_present.tolist() == [20 * (10 + 13), 20 * 11, 20 * 12]
    assert counts.pictures.tolist() == [2, 1, 1]


def test_an_unreadable_picture_ends_the_loading() -> None:
    with pytest.raises(DataError, match="picture 3 can't be read"):
        PictureStore(Pictures(5, broken=3), "cpu")
    assert not decoding_threads()


def test_an_unreadable_picture_ends_the_fetching() -> None:
    with PictureStore(Pictures(5, broken=3), "cpu", cache="disk") as store:
        store.prefetch([2, 3])
        with pytest.raises(DataError, match="picture 3 can't be read"):
            crops(store, [2, 3])


class Odd(Pictures):
    def __getitem__(self, index: int) -> Sample:
        return Sample(np.zeros((10, 20, 3), np.uint8), np.full((10, 20), 3, np.uint8), "odd")


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_an_id_that_is_no_class_is_refused(cache: str) -> None:
    message = r"odd holds the ids \[3\]; allowed are 0 to 2 and 255"
    with (
        pytest.raises(DataError, match=message),
        PictureStore(Odd(1), "cpu", cache=cache) as store,
    ):
        store.labels(0)


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        PictureStore(Pictures(0), "cpu")


def test_a_set_that_does_not_fit_is_refused_before_it_is_loaded() -> None:
    class Endless(Pictures):
        def __len__(self) -> int:
            return 10**12

    dataset = Endless()
    with pytest.raises(DataError, match="use cache: disk"):
        PictureStore(dataset, "cpu")
    assert dataset.reads == [0]
