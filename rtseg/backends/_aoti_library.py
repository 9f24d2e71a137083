"""A package of AOTInductor for the CPU, called past Python's lock.

torch's own binding holds the interpreter's lock for the whole of a call (pytorch/pytorch#197516):
a tenth of a second and more in which no other thread captures, draws or encodes, and calls of
several workers wait for one another. ctypes lets go of the lock, so the package's library is called
through the C interface that it exports for that, with tensors of libtorch's C interface.
"""

from __future__ import annotations

import ctypes
import json
import tempfile
import zipfile
from _ctypes import dlclose
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rtseg.errors import EngineError

DTYPE_CODES = {torch.uint8: 0, torch.int8: 1, torch.float32: 6}
"""What goes into and comes out of deploy graphs, as numbered by libtorch's stable interface."""
CPU = (0, 0)
"""Device type and index in the C interface."""


class AotiLibrary:
    """The graph of a package; may be called from as many threads as it has models.

    Args:
        package: a .pt2 file that `is_plain`.
        models: how many calls may run at the same time.

    Raises:
        EngineError: the package holds no library that this torch can run.
    """

    def __init__(self, package: Path, models: int) -> None:
        self._path = package
        self._torch = _libtorch()
        # The file may go as soon as it is loaded: the system keeps what is mapped.
        with tempfile.TemporaryDirectory(prefix="rtseg-") as folder:
            self._library = _load(_extracted(package, Path(folder)))
        self._container = c_void_p()
        create = self._library.AOTInductorModelContainerCreateWithDevice
        self._check(create(byref(self._container), c_size_t(models), c_char_p(b"cpu"), None))

    def __call__(self, images_bgr: Tensor) -> Tensor:
        """Return the output for uint8 [N, H, W, 3]; `images_bgr` must be contiguous."""
        # The callee frees the input's handle, not the pictures behind it.
        inputs, outputs = (c_void_p * 1)(self._handle(images_bgr)), (c_void_p * 1)()
        run, one = self._library.AOTInductorModelContainerRun, c_size_t(1)
        self._check(run(self._container, inputs, one, outputs, one, None, None))
        output = c_void_p(outputs[0])
        try:
            return self._copied(output)
        finally:
            self._torch.aoti_torch_delete_tensor_object(output)

    def close(self) -> None:
        """Release the weights and the library; nobody may be in a call, nor call again."""
        if self._container:
            self._library.AOTInductorModelContainerDelete(self._container)
            self._container = c_void_p()
            dlclose(self._library._handle)

    def _handle(self, images: Tensor) -> int | None:
        """Return the C interface's handle of a tensor that shares its memory with `images`."""
        sides = c_int64 * images.dim()
        handle = c_void_p()
        self._check(
            self._torch.aoti_torch_create_tensor_from_blob(
                c_void_p(images.data_ptr()),
                *(c_int64(images.dim()), sides(*images.shape), sides(*images.stride()), c_int64(0)),
                *(c_int32(DTYPE_CODES[images.dtype]), *map(c_int32, CPU), byref(handle)),
            )
        )
        return handle.value

    def _copied(self, output: c_void_p) -> Tensor:
        """Return a tensor of Python's of a tensor of the C interface."""
        ask = self._torch
        dims, code, data = c_int64(), c_int32(), c_void_p()
        sizes, strides = POINTER(c_int64)(), POINTER(c_int64)()
        self._check(ask.aoti_torch_get_dim(output, byref(dims)))
        self._check(ask.aoti_torch_get_dtype(output, byref(code)))
        self._check(ask.aoti_torch_get_sizes(output, byref(sizes)))
        self._check(ask.aoti_torch_get_strides(output, byref(strides)))
        self._check(ask.aoti_torch_get_data_ptr(output, byref(data)))
        dtype = next(each for each, number in DTYPE_CODES.items() if number == code.value)
        shape, steps = sizes[: dims.value], strides[: dims.value]
        span = 1 + sum((side - 1) * step for side, step in zip(shape, steps, strict=True))
        buffer = (ctypes.c_char * (span * dtype.itemsize)).from_address(data.value or 0)
        return torch.frombuffer(buffer, dtype=dtype).as_strided(shape, steps).clone()

    def _check(self, status: int) -> None:
        if status == 0:
            return
        tell = getattr(self._library, "AOTInductorGetLastError", None)
        said = ""
        if tell is not None:
            tell.restype = c_char_p
            said = (tell() or b"").decode(errors="replace").partition("\n")[0]
        raise EngineError(f"{self._path} failed: {said or 'the library says no more'}")


def is_plain(package: Path) -> bool:
    """Return whether a package is one library that calls nothing but libtorch's C interface.

    One that calls operators by name brings a list of them, which torch's own loader must serve;
    that loader also says what is wrong with a file that is no package.
    """
    try:
        with zipfile.ZipFile(package) as archive:
            names = archive.namelist()
            lists = [name for name in names if name.endswith("extern_nodes.json")]
            called = [json.loads(archive.read(name)).get("nodes") for name in lists]
    except (zipfile.BadZipFile, ValueError):
        return False
    libraries = [name for name in names if name.endswith(".so")]
    return len(libraries) == 1 and not any(called)


def _extracted(package: Path, folder: Path) -> Path:
    with zipfile.ZipFile(package) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".so"))
        path = folder / "graph.so"  # the archive's names lead nowhere
        with archive.open(name) as source, path.open("wb") as target:
            while block := source.read(1 << 20):
                target.write(block)
    return path


def _load(path: Path) -> Any:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise EngineError(
            f"torch {torch.__version__} can't load the package's library: {error}"
        ) from error


def _libtorch() -> Any:
    """Return the library that torch's Python has loaded already."""
    folder = Path(torch.__file__).parent / "lib"
    names = ("libtorch_cpu.so", "libtorch_cpu.dylib")
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise EngineError(f"no libtorch_cpu in {folder}, which AOTInductor's packages call")
    return ctypes.CDLL(str(path))
