"""The device path: a frame goes up once, its class map and its finished picture come back.

Fit, engine, class borders and colours are one graph of static shapes on the engine's device; on
CUDA it is recorded and replayed. Everything here is torch, so that the same lines run on the CPU,
where the tests compare them with the ordinary way.
"""

from rtseg.stream.device_path.device_path import DevicePath, obstacle

__all__ = ["DevicePath", "obstacle"]
