"""Converts the deploy graph to OpenVINO's files, and quantises it to int8 with NNCF."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from rtseg.backends.base import Precision
from rtseg.backends.manifest import Argument
from rtseg.backends.openvino import (
    DEVICE_ARGUMENT,
    MODEL,
    WEIGHTS,
    no_telemetry,
    openvino_version,
    require_precision,
)
from rtseg.errors import ConfigError, MissingExtraError
from rtseg.export.builder import BUILDERS, Builder, BuildRequest, Built, Log, deploy_graph
from rtseg.export.calibrate import CalibrationPictures


class OpenVINOBuilder(Builder):
    """Builds OpenVINO's intermediate representation; int8 needs NNCF and pictures."""

    backend: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16", "fp16", "int8")
    defaults: ClassVar[Mapping[str, Argument]] = {DEVICE_ARGUMENT: "CPU"}
    """openvino_device: CPU or GPU."""

    def require(self, request: BuildRequest) -> None:
        """Return if OpenVINO is there and its device computes in the precision."""
        openvino_version()
        if request.precision == "int8" and importlib.util.find_spec("nncf") is None:
            raise MissingExtraError("nncf", "openvino", "an int8 engine of OpenVINO")
        require_precision(request.precision, str(self.arguments(request)[DEVICE_ARGUMENT]))

    def versions(self) -> dict[str, str]:
        """Return OpenVINO's version."""
        return {"openvino": openvino_version()}

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        """Write ``model.xml`` and ``model.bin``."""
        with no_telemetry(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            log("converting the graph")
            model = _converted(request)
            if request.precision == "int8" and request.calibration is not None:
                log(f"quantising on {len(request.calibration.images_bgr)} pictures")
                model = _quantised(model, request.calibration, request)
            _save(model, folder)
        return Built((MODEL, WEIGHTS))


def _converted(request: BuildRequest) -> Any:
    """Return the ``openvino.Model`` of the request's graph in float32, with static shapes.

    bf16 and fp16 are the runtime's choice for each operation, asked for when the engine is loaded.
    """
    import dataclasses

    import openvino

    # Its argmax is a sort that takes longer than a tenth of a small network.
    graph = deploy_graph(dataclasses.replace(request, precision="int8"), "running_max")
    shape = [request.batch, *request.input_hw, 3]
    model = openvino.convert_model(graph.exported(request.batch), input=shape)
    if model.is_dynamic():
        model.reshape(shape)
    return model


def _quantised(model: Any, pictures: CalibrationPictures, request: BuildRequest) -> Any:
    import nncf

    if pictures.hw != request.input_hw:
        raise ConfigError(
            f"the calibration pictures are {pictures.hw[1]}x{pictures.hw[0]}, "
            f"the engine's input is {request.input_hw[1]}x{request.input_hw[0]}"
        )
    logging.getLogger("nncf").setLevel(logging.WARNING)
    batches = [np.repeat(image[None], request.batch, 0) for image in pictures.images_bgr]
    with contextlib.redirect_stdout(io.StringIO()):  # it draws progress bars, even into a file
        return nncf.quantize(
            model,
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
        )


def _save(model: Any, folder: Path) -> None:
    import openvino

    openvino.save_model(model, folder / MODEL, compress_to_fp16=False)


BUILDERS.add("openvino", OpenVINOBuilder())
