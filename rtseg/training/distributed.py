"""Several processes that train one network: one for each GPU, started by torchrun.

The same code runs alone: then every exchange is with itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rtseg.device import pick_device
from rtseg.errors import ConfigError

Module = TypeVar("Module", bound=nn.Module)

_LONGEST_WAIT = timedelta(hours=2)
"""The others wait while the first one writes reports."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together.

    Args:
        device: where this one computes.
        rank: its number, 0 for the one that writes files.
        world_size: how many there are.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def sync_batch_norm(self, network: Module) -> Module:
        """Let batch normalisation see the whole batch, where there are several CUDA devices."""
        if self.world_size == 1 or self.device.type != "cuda":
            return network
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return cast(Module, converted)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module such that gradients are averaged over all processes."""
        if self.world_size == 1:
            return module
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def without_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """Return a context in which `module`, wrapped, only adds up gradients."""
        if isinstance(module, DistributedDataParallel):
            return cast(AbstractContextManager[None], module.no_sync())
        return nullcontext()

    def mean_(self, values: Tensor) -> Tensor:
        """Average the tensor over all processes, in place; doesn't wait for the device."""
        if self.world_size > 1:
            dist.all_reduce(values)
            values /= self.world_size
        return values

    def any(self, flag: bool) -> bool:
        """Return whether any process says so; waits for all of them."""
        if self.world_size == 1:
            return flag
        total = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(total)
        return total.item() > 0

    def sum(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the counts added up over all processes."""
        if self.world_size == 1:
            return counts
        total = torch.from_numpy(counts.copy()).to(self.device)
        dist.all_reduce(total)
        summed: npt.NDArray[np.int64] = total.cpu().numpy()
        return summed

    def copy_from_main(self, network: nn.Module) -> None:
        """Give every process the tensors of the first one's network."""
        if self.world_size > 1:
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world_size > 1:
            dist.barrier()


@contextmanager
def processes(device_name: str = "auto") -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one; part on leaving.

    Raises:
        ConfigError: the device isn't there, or torchrun's environment is incomplete.
    """
    world_size = _environment("WORLD_SIZE", 1)
    if world_size == 1:
        yield Processes(pick_device(device_name))
        return
    rank, local_rank = _environment("RANK", None), _environment("LOCAL_RANK", None)
    device = pick_device(device_name)
    if device.type == "cuda":
        device = pick_device(f"cuda:{local_rank}")
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_LONGEST_WAIT)
    try:
        yield Processes(device, rank, world_size)
    finally:
        dist.destroy_process_group()


def _environment(name: str, default: int | None) -> int:
    text = os.environ.get(name, "" if default is None else str(default))
    if not text.isdigit():
        raise ConfigError(
            f"the environment variable {name} is {text!r}; start several processes with "
            "torchrun --nproc-per-node N tools/train.py …, which sets it"
        )
    return int(text)
