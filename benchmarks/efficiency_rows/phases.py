"""What long work takes, phase by phase: it is told by the bars that the library shows."""

import time
from pathlib import Path
from typing import Any

from sparseembed.progress import Reporter, set_reporter

SHORT = (  # label's beginning -> name of the phase
    ("encoding", "encode"),
    ("counting words", "count words"),
    ("decoding a sample", "decode a sample"),
    ("choosing the mix", "choose the mix"),
    ("indexing", "index"),
    ("adding", "index"),
)


class Phases:
    """A reporter that times bars, and notes the memory at their ends. A context manager."""

    def __init__(self, inner: Reporter | None = None) -> None:
        """Take the reporter that hears of all as well; none when None."""
        self._inner = inner
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}
        self._start = (0.0, 0.0)

    def note(self, text: str) -> None:
        """Pass a note on."""
        if self._inner is not None:
            self._inner.note(text)

    def bar(self, label: str, total: int, unit: str, done: int) -> Any:
        """Open a bar whose time counts."""
        phase = next((name for begin, name in SHORT if label.startswith(begin)), label)
        return _TimedBar(self, phase, self._inner.bar(label, total, unit, done) if self._inner else None)

    def add(self, phase: str, wall: float, cpu: float) -> None:
        """Count time of a phase."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + wall
        self.cpu[phase] = self.cpu.get(phase, 0.0) + cpu
        self.peak_mb[phase] = round(memory("VmHWM"), 1)

    def __enter__(self) -> "Phases":
        self._before = set_reporter(self)
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        wall, cpu = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        # What no bar is shown for: reading, fitting, merging, checksums, commits.
        self.add("between", wall - sum(self.seconds.values()), cpu - sum(self.cpu.values()))
        set_reporter(self._before)


class _TimedBar:
    def __init__(self, phases: Phases, phase: str, inner: Any) -> None:
        self._phases, self._phase, self._inner = phases, phase, inner
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def update(self, amount: int, detail: str = "") -> None:
        if self._inner is not None:
            self._inner.update(amount, detail)

    def close(self) -> None:
        self._phases.add(self._phase, time.perf_counter() - self._wall, time.process_time() - self._cpu)
        if self._inner is not None:
            self._inner.close()


def memory(field: str) -> float:
    """Return a figure of this process's memory in MB: `VmHWM`, its peak, or `VmRSS`, now; 0 where it is not told.

    A process that was forked inherits `ru_maxrss` from its parent; these are its own.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(text.split()[1]) / 1024 for text in lines if text.startswith(field + ":")), 0.0)
