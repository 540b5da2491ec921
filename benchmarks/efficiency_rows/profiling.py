"""Where the time of a build goes: the functions that take most of it, phase by phase."""

import cProfile
import pstats
from pathlib import Path
from typing import Any

from efficiency_rows.phases import SHORT
from efficiency_rows.stub import stub_embedder
from efficiency_rows.workplace import Workplace
from sparseembed.indexing.build import build_index
from sparseembed.progress import note, set_reporter

TOP = 12
LEAST = 0.01  # of a phase


class _Profiler:
    """A reporter that profiles each phase by itself. A context manager."""

    def __init__(self) -> None:
        self.profiles: dict[str, cProfile.Profile] = {}
        self._open = ["between"]

    def note(self, text: str) -> None:
        pass

    def bar(self, label: str, total: int, unit: str, done: int) -> Any:
        self._switch(lambda: self._open.append(next((name for begin, name in SHORT if label.startswith(begin)), label)))
        return self

    def update(self, amount: int, detail: str = "") -> None:
        pass

    def close(self) -> None:
        self._switch(self._open.pop)

    def _switch(self, change: Any) -> None:
        self.profiles[self._open[-1]].disable()
        change()
        self.profiles.setdefault(self._open[-1], cProfile.Profile()).enable()

    def __enter__(self) -> "_Profiler":
        self._before = set_reporter(self)
        self.profiles["between"] = cProfile.Profile()
        self.profiles["between"].enable()
        return self

    def __exit__(self, *error: object) -> None:
        self.profiles[self._open[-1]].disable()
        set_reporter(self._before)


def profile(place: Workplace) -> str:
    """Build an index under the profiler; return a page of Markdown."""
    documents = 200 if place.quick else 5_000
    corpus = place.corpus(documents)
    note(f"profiling a build of {documents:,} documents")
    with _Profiler() as profiler:
        build_index(
            str(corpus), place.folder / "index-profile", stub_embedder(place.embedder),
            embeddings=place.folder / "store-profile",
        )  # fmt: skip
    parts = [
        "# Where the time of a build goes", "",
        f"cProfile, {documents:,} made documents through the stub embedder, each phase by itself; times are those of a "
        "function alone, on the clock and under the profiler, which slows Python down and not what it calls.",
    ]  # fmt: skip
    for phase, measured in profiler.profiles.items():
        parts += ["", *_phase(phase, measured, documents)]
    return "\n".join(parts) + "\n"


def _phase(name: str, measured: cProfile.Profile, documents: int) -> list[str]:
    stats = pstats.Stats(measured)
    whole: float = stats.total_tt  # type: ignore[attr-defined]
    lines = [f"## {name}: {whole:.2f} s, {1000 * whole / documents:.2f} ms a document", ""]
    lines += [
        "| function | calls | own time, s | share | with callees, s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rows = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:TOP]  # type: ignore[attr-defined]
    for (file, _, function), (_, calls, own, cumulated, _) in rows:
        if own >= LEAST * whole:
            where = "/".join(Path(file).parts[-2:]) if file not in ("~", "") else ""
            shown = f"{where} {function}".strip().replace("|", "/")
            lines.append(
                f"| `{shown}` | {calls:,} | {own:.2f} | {100 * own / max(whole, 1e-9):.0f}% | {cumulated:.2f} |"
            )
    return lines
