"""Rows 5 to 7: opening in a fresh process, the first hit from the command line, and the text of a hit."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from efficiency_rows.child import in_child
from efficiency_rows.measure import Spread, each
from efficiency_rows.row import Row
from efficiency_rows.workplace import Workplace
from sparseembed.index.lucene_reader import LuceneReader
from sparseembed.index.manifest import read_manifest
from sparseembed.progress import note
from sparseembed.retrieval.searcher import Searcher

OPEN, FIRST_HIT, TEXT = 0.2, 0.6, 0.05  # seconds, seconds, ms
ENGINES = ("native", "lucene")


def documents_of(place: Workplace) -> int:
    """Return the size of the index that is opened: one that other rows need as well."""
    return 300 if place.quick else 10_000


def measure_opening(place: Workplace) -> list[Row]:
    """Measure row 5."""
    documents = documents_of(place)
    index, query = place.index(documents), place.queries[0]
    note("opening the index in fresh processes")
    found: dict[str, list[dict[str, Any]]] = {engine: [] for engine in ENGINES}
    for _ in range(1 + place.repeats):
        for engine in ENGINES:
            found[engine].append(in_child("opening", index=str(index), engine=engine, query=query))
    times = {engine: Spread.of([one["seconds"] for one in runs[1:]]) for engine, runs in found.items()}
    parts = {
        engine: {part: Spread.of([one[part] for one in runs[1:]]).median for part in ("import", "open", "first_search")}
        for engine, runs in found.items()
    }
    loaded = {engine: {"modules": runs[-1]["modules"], "java": runs[-1]["java"]} for engine, runs in found.items()}
    return [
        Row(
            "open", f"import and open, {documents:,} documents, a fresh process", times["native"],
            "Lucene engine, cold", times["lucene"], "s", f"{OPEN} s, no Java",
            times["native"].median <= OPEN and not loaded["native"]["java"],
            {"parts_s": parts, "loaded": loaded},
        )
    ]  # fmt: skip


def measure_first_hit(place: Workplace) -> list[Row]:
    """Measure row 6."""
    documents = documents_of(place)
    index, query = place.index(documents), " ".join(place.queries[0].split()[:4])
    note("searching from the command line")
    walls: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for turn in range(1 + place.repeats):
        for engine in ENGINES:
            seconds = _command(index, query, engine)
            if turn:
                walls[engine].append(seconds)
    ours, other = (Spread.of(walls[engine]) for engine in ENGINES)
    return [
        Row(
            "first-hit", f"sparseembed search, {documents:,} documents, a fresh process", ours, "with --engine lucene",
            other, "s", f"{FIRST_HIT} s", ours.median <= FIRST_HIT,
        )
    ]  # fmt: skip


def _command(index: Path, query: str, engine: str) -> float:
    command = [sys.executable, "-m", "sparseembed", "search", str(index), query, "--json", "--engine", engine]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode or not done.stdout:
        raise RuntimeError(f"{command} failed: {done.stderr[-1000:]}")
    return seconds


def measure_texts(place: Workplace) -> list[Row]:
    """Measure row 7: texts one by one, and of 1,000 hits together."""
    index = place.index(documents_of(place))
    many = 50 if place.quick else 1000
    manifest = read_manifest(index)
    reader = LuceneReader(index / "lucene", manifest.lucene["commit"])
    ids = [f"d{number:07d}" for number in np.random.default_rng(6).integers(0, documents_of(place), many).tolist()]
    with Searcher.open(index) as searcher:
        if [searcher.text(one) for one in ids] != reader.texts(ids):
            raise RuntimeError("the texts of the index and of Lucene differ")
        one = each({"native": searcher.text, "Lucene": lambda doc_id: reader.texts([doc_id])}, ids, place.repeats)

        def all_of(them: Sequence[str]) -> list[str]:
            return [searcher.text(doc_id) for doc_id in them]

        batch = each({"native": all_of, "Lucene": reader.texts}, [ids], place.repeats)
    reader.close()
    return [
        Row(
            "text", what, took["native"].times(1000), "Lucene's stored fields, " + how, took["Lucene"].times(1000),
            "ms", f"{TEXT} ms a text", took["native"].median * 1000 <= TEXT * count,
        )
        for what, how, took, count in (
            ("text of a hit", "one call", one, 1),
            (f"texts of {many:,} hits", "all in one call", batch, many),
        )
    ]  # fmt: skip
