"""The pictures of a data set, kept where the training wants them.

Small sets stay decoded in memory, on the training device where that is a GPU, so that decoding
never limits a training; big sets are decoded as they are needed, a batch ahead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Literal, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from rtseg.errors import DataError
from rtseg.training.class_weights import ClassCounts, Int64, label_histogram
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.warp import (
    DevicePixels,
    Fill,
    Matrix,
    UInt8,
    UInt16,
    to_device,
    warp_ids_on_host,
    warp_on_host,
)

Cache = Literal["memory", "disk"]
Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the number there are."""

T = TypeVar("T")

_LARGEST_SHARE_OF_MEMORY = 0.8


class _Decoded(NamedTuple):
    image_bgr: UInt8
    labels: UInt8
    histogram: Int64
    mean_grey: float
    instances: UInt16 | None

    @property
    def num_bytes(self) -> int:
        arrays = (self.image_bgr, self.labels, self.instances)
        return sum(array.nbytes for array in arrays if array is not None)


class PictureStore:
    """Random access to the pictures and labels of a data set, and to crops of them.

    With ``cache="memory"`` everything is decoded once, here, in threads. On a GPU the pixels then
    lie on the device and the labels also in host memory, where the augmentation looks at them
    before it chooses a crop. With ``cache="disk"`` pictures are decoded when a crop is asked for;
    `prefetch` starts that early. The sizes of the pictures may differ.

    Use it as a context manager, or `close` it, to end its threads.

    Args:
        dataset: where the samples come from; read from several threads at once.
        device: where `crops` puts its tensors.
        cache: ``"memory"`` or ``"disk"``.
        threads: decoding threads; by default as many as cores, 8 at most.
        progress: told how many pictures are decoded, as the memory fills.

    Raises:
        DataError: the set is empty or doesn't fit into memory, a sample can't be read, or its
            labels hold an id that is no class.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        device: torch.device | str,
        cache: Cache = "memory",
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        if len(dataset) == 0:
            raise DataError("the data set holds no pictures; check its folders and the split")
        self.classes = dataset.classes
        self.device = torch.device(device)
        self.decode_images_per_s = 0.0
        """How fast the memory filled; 0 with ``cache="disk"``."""
        self._dataset = dataset
        self._ahead: dict[int, Future[_Decoded]] = {}
        self._longest = 0
        self._executor = ThreadPoolExecutor(
            threads or min(8, os.cpu_count() or 1), thread_name_prefix="decode"
        )
        self._memory: list[_Decoded] = []
        self._on_device: DevicePixels | None = None
        if cache == "memory":
            try:
                self._fill(progress)
            finally:
                self.close()

    def __len__(self) -> int:
        return len(self._dataset)

    def __enter__(self) -> PictureStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the decoding threads; what is in memory stays usable."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._ahead.clear()

    @property
    def num_bytes(self) -> int:
        """How much memory the pictures and labels take, host and device together."""
        on_device = self._on_device.num_bytes if self._on_device else 0
        return on_device + sum(one.num_bytes for one in self._memory)

    @property
    def has_instances(self) -> bool:
        """Whether it is known which object each pixel belongs to."""
        return self._dataset.has_instances

    def prefetch(self, indices: Sequence[int]) -> None:
        """Start to decode these pictures; does nothing for those in memory.

        A picture stays until `crops` has cut it, or until so many others were asked for that
        three of the longest batches would be held.
        """
        if self._memory:
            return
        wanted = dict.fromkeys(int(index) for index in indices)
        self._longest = max(self._longest, len(wanted))
        for index in wanted:
            self._job(index)
        for index in [old for old in self._ahead if old not in wanted]:
            if len(self._ahead) > 3 * self._longest:
                self._ahead.pop(index).cancel()

    def labels(self, index: int) -> UInt8:
        """Return the labels [H, W] of one picture, in host memory; don't write into them."""
        return self._on_host(index).labels

    def mean_grey(self, index: int) -> float:
        """Return the mean brightness of one picture, 0-255."""
        return self._on_host(index).mean_grey

    def class_counts(self, progress: Progress | None = None) -> ClassCounts:
        """Return how often each class occurs; with ``cache="disk"`` this reads the whole set."""
        histograms = [one.histogram for one in self._memory] or self._decode_all(
            lambda index: self._decode(index).histogram, progress
        )
        return ClassCounts.from_histograms(np.stack(histograms))

    def crops(
        self,
        indices: Sequence[int],
        matrices: Sequence[Matrix],
        crop_hw: tuple[int, int],
        fill_bgr: Fill,
    ) -> tuple[Tensor, Tensor]:
        """Cut one crop out of each picture, each by a map as `rtseg.training.warp` has them.

        Returns:
            Pictures [N, h, w, 3], BGR, 0-255, and uint8 labels [N, h, w], on the device. The
            pictures are uint8 where they were cut on the host, else float32.
        """
        if self._on_device is not None:
            return self._on_device.warp(
                to_device(torch.tensor(list(indices)), self.device),
                to_device(torch.from_numpy(np.stack(matrices).astype(np.float32)), self.device),
                crop_hw,
                fill_bgr,
            )
        images = np.empty((len(indices), *crop_hw, 3), np.uint8)
        labels = np.empty((len(indices), *crop_hw), np.uint8)
        for place, (index, matrix) in enumerate(zip(indices, matrices, strict=True)):
            source = self._on_host(index)
            images[place], labels[place] = warp_on_host(
                source.image_bgr, source.labels, matrix, crop_hw, fill_bgr
            )
        for index in indices:
            self._ahead.pop(index, None)
        return (
            to_device(torch.from_numpy(images), self.device),
            to_device(torch.from_numpy(labels), self.device),
        )

    def instance_crops(
        self, indices: Sequence[int], matrices: Sequence[Matrix], crop_hw: tuple[int, int]
    ) -> UInt16:
        """Cut the objects as `crops` cuts the labels; ask for them first.

        Returns:
            uint16 [N, h, w] in host memory, 0 for no object; all 0 where the set knows none.
        """
        crops = np.zeros((len(indices), *crop_hw), np.uint16)
        for place, (index, matrix) in enumerate(zip(indices, matrices, strict=True)):
            ids = self._on_host(index).instances
            if ids is not None:
                crops[place] = warp_ids_on_host(ids, matrix, crop_hw)
        return crops

    def _on_host(self, index: int) -> _Decoded:
        return self._memory[index] if self._memory else self._job(index).result()

    def _job(self, index: int) -> Future[_Decoded]:
        if index not in self._ahead:
            self._ahead[index] = self._executor.submit(self._decode, index)
        return self._ahead[index]

    def _decode(self, index: int) -> _Decoded:
        sample = self._dataset[index]
        blue, green, red, _ = cv2.mean(sample.image_bgr)
        return _Decoded(
            np.ascontiguousarray(sample.image_bgr),
            np.ascontiguousarray(sample.labels),
            label_histogram(sample.labels, len(self.classes.names), sample.name),
            0.299 * red + 0.587 * green + 0.114 * blue,
            sample.instances,
        )

    def _decode_all(self, job: Callable[[int], T], progress: Progress | None) -> list[T]:
        """Run `job` for every index in threads, in order; the first error ends it."""
        done: list[T] = []
        jobs = [self._executor.submit(job, index) for index in range(len(self))]
        try:
            for future in jobs:
                done.append(future.result())
                if progress:
                    progress(len(done), len(jobs))
        finally:
            for future in jobs:
                future.cancel()
        return done

    def _fill(self, progress: Progress | None) -> None:
        first = self._decode(0)
        _check_memory(len(self) * first.num_bytes, len(self))
        started = time.perf_counter()
        loaded = self._decode_all(self._decode, progress)
        self.decode_images_per_s = len(self) / (time.perf_counter() - started)
        if self.device.type == "cpu":
            self._memory = loaded
        else:
            images, labels = [one.image_bgr for one in loaded], [one.labels for one in loaded]
            self._on_device = DevicePixels(images, labels, self.device)
            nothing = np.empty((0, 0, 3), np.uint8)
            self._memory = [one._replace(image_bgr=nothing) for one in loaded]


def _check_memory(num_bytes: int, num_pictures: int) -> None:
    """Refuse a set that would fill the machine, judged by its first picture."""
    if not hasattr(os, "sysconf"):
        return  # a system that doesn't say how much memory it has
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if num_bytes > _LARGEST_SHARE_OF_MEMORY * total:
        raise DataError(
            f"{num_pictures} pictures need about {num_bytes / 2**30:.1f} GiB; this machine has "
            f"{total / 2**30:.1f} GiB; use cache: disk"
        )
