"""Fold batch normalisation into the convolutions before it, as deployment does.

In evaluation a batch normalisation is a scale and a shift per channel, which the weights and the
bias of the convolution before it can take over. Which convolution that is, a run tells and not the
order of the modules: one small picture goes through the network while every call is watched. A
normalisation that follows no convolution (a pre-activation block), or a convolution whose output
goes elsewhere too, stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode

from rtseg.networks.network import SegmentationNetwork, padded_hw

Convolution = nn.Conv2d | nn.ConvTranspose2d


def fold_batch_norm(network: SegmentationNetwork) -> SegmentationNetwork:
    """Return a copy, in evaluation mode, whose `forward` gives the same logits with fewer layers.

    The normalisations that were folded are `nn.Identity` in the copy. Heads that only
    `forward_train` uses keep theirs.
    """
    folded = copy.deepcopy(network).eval()
    for conv_name, norm_name in foldable_pairs(network):
        conv, norm = folded.get_submodule(conv_name), folded.get_submodule(norm_name)
        assert isinstance(conv, Convolution)
        assert isinstance(norm, nn.BatchNorm2d)
        transposed = isinstance(conv, nn.ConvTranspose2d)
        folded.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm, transpose=transposed))
        folded.set_submodule(norm_name, nn.Identity())
    return folded


def foldable_pairs(network: SegmentationNetwork) -> list[tuple[str, str]]:
    """Return the names of every convolution and of the batch normalisation to fold into it."""
    # Not on the meta device: torch would import its compiler there, which takes seconds, and the
    # smallest picture takes milliseconds.
    shadow = copy.deepcopy(network).to("cpu", torch.float32).eval()
    hw = padded_hw((shadow.min_size, shadow.min_size), shadow.size_multiple, shadow.min_size)
    with torch.no_grad(), _Watch(shadow) as watch:
        logits = shadow(torch.zeros(1, 3, *hw))
        watch.use("", [logits])
    return watch.pairs()


class _Watch(TorchFunctionMode):
    """Notes, for each convolution, who uses its output, and the reverse for each normalisation."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._owners: dict[int, str] = {}
        self._modules = dict(network.named_modules())
        for name, module in self._modules.items():
            if isinstance(module, Convolution | nn.BatchNorm2d):
                tensors = [*module.parameters(False), *module.buffers(False)]
                self._owners.update((id(tensor), name) for tensor in tensors)
        self._outputs: dict[int, tuple[Tensor, str]] = {}  # the tensor kept, so its id stays taken
        self._users: dict[str, set[str]] = {}
        self._sources: dict[str, set[str]] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, Tensor | tuple | list) and not isinstance(result, torch.Size):
            inputs = list(_tensors([*args, *kwargs.values()]))
            owner = next((self._owners[id(t)] for t in inputs if id(t) in self._owners), "")
            self.use(owner, inputs)
            if isinstance(result, Tensor) and isinstance(self._modules[owner], Convolution):
                self._outputs[id(result)] = (result, owner)
        return result

    def use(self, owner: str, inputs: Sequence[Tensor]) -> None:
        """Note that a call of the module `owner`, "" for a plain function, takes `inputs`."""
        sources = [self._outputs[id(t)][1] for t in inputs if id(t) in self._outputs]
        for source in sources:
            self._users.setdefault(source, set()).add(owner)
        self._sources.setdefault(owner, set()).update(sources or [""])

    def pairs(self) -> list[tuple[str, str]]:
        """Return the pairs in which each is the other's only neighbour, in every call."""
        return [
            (conv, norm)
            for conv, users in self._users.items()
            for norm in users
            if users == {norm} and self._sources[norm] == {conv}
            if self._can_fold(self._modules[conv], self._modules[norm])
        ]

    @staticmethod
    def _can_fold(conv: nn.Module, norm: nn.Module) -> bool:
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
            return False
        return not isinstance(conv, nn.ConvTranspose2d) or conv.groups == 1


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
