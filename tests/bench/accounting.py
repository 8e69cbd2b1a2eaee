"""What processes cost, from Linux's own books: processor time with that of children that have ended, and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.servers.process import descendants

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MEGABYTE = 1024.0
"""In KiB, the unit of /proc."""


@dataclass(frozen=True)
class Memory:
    """Memory of a group of processes in MiB.

    `resident` counts a page once per process that maps it: of PostgreSQL, whose backends share their buffers, it says little.
    `proportional` divides shared pages among those that share them; None where the kernel does not tell it to this account.
    """

    resident: float
    proportional: float | None


def processor_seconds(*roots: int) -> float:
    """Processor time, in user and kernel mode, of processes, their descendants, and those of them that have ended.

    A child that has ended is in the books of its parent once that has waited for it.
    """
    return sum(_ticks(pid) for root in roots for pid in (root, *descendants(root))) / TICKS_PER_SECOND


def machine_seconds() -> float:
    """Time in which the machine's processors have been busy, or taken away by its host, since it started."""
    # user nice system idle iowait irq softirq steal
    ticks = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS_PER_SECOND


def memory(*roots: int) -> Memory:
    """Memory of processes and their descendants now."""
    resident, proportional, told = 0.0, 0.0, True
    for root in roots:
        for pid in (root, *descendants(root)):
            resident += _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:") or 0.0
            share = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")
            told = told and share is not None
            proportional += share or 0.0
    return Memory(resident / MEGABYTE, proportional / MEGABYTE if told else None)


class Books:
    """Processor time of groups of processes by name, from a moment on."""

    def __init__(self, groups: Mapping[str, list[int]]) -> None:
        """Begin to count now.

        :param groups: process ids by the name of their group; descendants count in.
        """
        self._groups = {name: list(roots) for name, roots in groups.items()}
        self._machine, self._began = machine_seconds(), time.monotonic()
        self._before = self._now()

    def others(self, ours: float) -> float:
        """Share of all processors that went, since then, to work that is not ours: 0.05 and more spoils a measurement.

        :param ours: processor seconds of everything that belongs to the measurement.
        """
        total = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(0.0, machine_seconds() - self._machine - ours) / total

    def spent(self) -> dict[str, float]:
        """Processor seconds of each group since then."""
        return {name: seconds - self._before[name] for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: processor_seconds(*roots) for name, roots in self._groups.items()}


def parse_ticks(stat: str) -> int:
    """Ticks that one process and its ended children have used, from the text of /proc/<pid>/stat."""
    # "pid (name) state ...": the name may hold spaces and parentheses. Fields 14 to 17: utime, stime, cutime, cstime.
    return sum(map(int, stat.rpartition(")")[2].split()[11:15]))


def _ticks(pid: int) -> int:
    try:
        return parse_ticks(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # ended just now: its parent's books have it


def _kilobytes(file: Path, name: str) -> float | None:
    """A figure of a file of /proc; None when the process has ended, or does not show it to us."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), None)
