"""What a compiled file is bound to."""

from __future__ import annotations

import platform
import sys

import torch

from rtseg.backends.machine import cpu_isa, device_label, this_machine


def test_this_machine_is_described() -> None:
    machine = this_machine(torch.device("cpu"))
    assert (machine.system, machine.arch) == (sys.platform, platform.machine())
    assert machine.device == "cpu"
    assert machine.device_name in str(machine)
    assert machine.cpu_isa == cpu_isa()
    assert machine.compute_capability is None
    assert device_label(torch.device("cpu")) == "cpu"


def test_instruction_sets_agree_with_what_torch_sees() -> None:
    level = torch.backends.cpu.get_cpu_capability()
    if "AVX512" in level:
        assert "avx512f" in cpu_isa()
    elif "AVX2" in level:
        assert "avx2" in cpu_isa()
