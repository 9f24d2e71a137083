"""PyTorch: that it can be imported and computes."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding


def probe() -> Iterator[Finding]:
    """Import torch and run a convolution on the CPU."""
    try:
        import torch
    except Exception as error:  # a broken install raises ImportError, OSError or RuntimeError
        yield Finding(
            "PyTorch",
            "missing",
            f"can't be imported: {' '.join(str(error).split())[:200]}",
            "python -m pip install --force-reinstall torch",
            essential=True,
        )
        return
    torch.nn.functional.conv2d(torch.ones(1, 3, 16, 16), torch.ones(4, 3, 3, 3))
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    if torch.version.hip:
        build = f"ROCm {torch.version.hip}"
    yield Finding("PyTorch", "ok", f"{torch.__version__} computes ({build})")
