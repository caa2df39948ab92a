"""Memory that a computation needs at its peak."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

# Writing 5 makes Linux forget the largest resident set so far.
FORGET_PEAK = Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak of the memory from now on, beyond what is in use now.

    On a CUDA device it is what PyTorch's allocator gave out (``torch.cuda.max_memory_allocated``). On the CPU
    it is the resident set of the process, as Linux counts it.

    Args:
        device: Where the computation runs.

    Good values: Make it in a process of its own, after the imports and before the model is built.
    Failure mode: Memory that was freed before and stays with the process is used again and not counted. Not
        a number on other devices, and on other systems than Linux.

    Example:
        >>> peak = PeakMemory("cpu")
        >>> values = torch.ones(4_000_000)
        >>> bool(peak.megabytes >= 0) or peak.megabytes != peak.megabytes
        True
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device) / 1e6
        else:
            with suppress(OSError):
                FORGET_PEAK.write_text("5")
            self._before = resident_megabytes("VmRSS")

    @property
    def megabytes(self) -> float:
        """Growth until now, in 10^6 bytes."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e6 - self._before
        return resident_megabytes("VmHWM") - self._before if self.device.type == "cpu" else float("nan")


def resident_megabytes(key: str) -> float:
    """Resident set of this process.

    Not `resource.getrusage`: its peak starts from that of the process which started this one.

    Args:
        key: ``"VmRSS"`` for now, ``"VmHWM"`` for the peak.

    Returns:
        In 10^6 bytes; not a number where the system does not tell.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    # Linux writes kB and means 1024 bytes.
    return next((float(line.split()[1]) * 1.024e-3 for line in lines if line.startswith(key)), float("nan"))
