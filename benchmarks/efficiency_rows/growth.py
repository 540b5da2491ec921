"""Rows 8 and 9: growth of builds and indexes, and adding 1,000 documents to a small index and to a large one."""

from typing import Any

from efficiency_rows.child import in_child
from efficiency_rows.measure import Spread, exponent
from efficiency_rows.row import Row
from efficiency_rows.workplace import Workplace
from sparseembed.progress import note

SIZES, LARGE = (1_000, 10_000, 100_000), 1_000_000
PAPER = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
BYTES, GIGABYTES, HOURS = 300, 8, 2  # memory a document, disk at a million, time of a million
KS = (10, 1000)


def measure_growth(place: Workplace, large: bool) -> tuple[list[Row], dict[str, Any]]:
    """Measure row 8.

    :param place: Where.
    :param large: Whether a million documents are built too.
    :return: Rows of the largest against the next smaller one, and all figures.
    """
    sizes = (100, 300) if place.quick else (*SIZES, LARGE) if large else SIZES
    builds = [dict(place.built(size)) for size in sizes]
    for build, size in zip(builds, sizes, strict=True):
        note(f"searching {size:,} documents")
        times = in_child(
            "latency", index=str(place.index(size)), queries=place.queries, ks=list(KS), repeats=place.repeats
        )
        build["latency_ms"] = {k: 1000 * Spread(*each["native"]).median for k, each in times.items()}
        build["index_bytes"] = sum(build["bytes"].values())
        build["work_s"] = build["seconds"] - build["phases"]["encode"]
        build["work_cpu_s"] = sum(build["phases_cpu"].values()) - build["phases_cpu"]["encode"]
    figures = {
        "time, without encoding, s": [build["work_s"] for build in builds],
        "time of processors, s": [build["work_cpu_s"] for build in builds],
        "peak memory, MB": [build["peak_mb"] for build in builds],
        "index, MB": [build["index_bytes"] / 1e6 for build in builds],
        "embeddings, MB": [build["store_bytes"] / 1e6 for build in builds],
        "known terms": [float(build["known_terms"]) for build in builds],
        "query, k = 10, ms": [build["latency_ms"]["10"] for build in builds],
        "query, k = 1,000, ms": [build["latency_ms"]["1000"] for build in builds],
    }
    found = {
        "sizes": list(sizes),
        "builds": builds,
        "figures": figures,
        "exponents": {name: exponent(sizes, values) for name, values in figures.items()},
        "last_exponents": {name: exponent(sizes[-2:], values[-2:]) for name, values in figures.items()},
    }
    found["on_paper"] = _on_paper(found)
    return [_against_smaller(found, name) for name in figures if name != "known terms"], found


def _against_smaller(found: dict[str, Any], name: str) -> Row:
    (small, large), values = found["sizes"][-2:], found["figures"][name][-2:]
    ours, other = (Spread(value, value, value, 1) for value in reversed(values))
    memory = {"bytes_a_document": 1e6 * (values[1] - values[0]) / (large - small)} if "memory" in name else {}
    return Row(
        "growth", f"{name.rpartition(', ')[0] or name}: {large:,} documents", ours, f"{small:,} documents", other,
        name.rpartition(", ")[2], f"{large / small:g} where it grows in line" if large else "",
        memory["bytes_a_document"] <= BYTES if memory else None,
        {"exponent": found["exponents"][name], **memory},
    )  # fmt: skip


def _on_paper(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Extrapolate from the two largest builds by their exponents; memory by its difference in bytes a document."""
    largest, values = found["sizes"][-1], {name: figures[-1] for name, figures in found["figures"].items()}
    sizes = [size for size in PAPER if size > largest]
    grown = {
        str(size): {
            name: values[name] * (size / largest) ** found["last_exponents"][name]
            for name in values
            if "memory" not in name
        }
        for size in sizes
    }
    memory = found["figures"]["peak memory, MB"]
    each = max(0.0, (memory[-1] - memory[-2]) / (found["sizes"][-1] - found["sizes"][-2]))
    for size in sizes:
        grown[str(size)]["peak memory, MB"] = memory[-1] + each * (size - largest)
    return grown


def measure_adding(place: Workplace) -> tuple[list[Row], dict[str, Any]]:
    """Measure row 9."""
    small, large = (100, 300) if place.quick else (10_000, 100_000)
    count = 20 if place.quick else 1000
    found: dict[int, list[dict[str, Any]]] = {small: [], large: []}
    repeats = 1 if place.quick else 3
    for turn in range(repeats):
        # Others each time: embeddings of documents that were added before are found in the cache.
        added = place.corpus(count, first=2_000_000 + 1000 * turn, prefix="n")
        for size in found:
            note(f"adding {count:,} documents to {size:,}")
            index, cache = str(place.index(size)), str(place.folder / f"cache-{size}")
            found[size].append(in_child("add", index=index, corpus=str(added), cache=cache, embedder=place.embedder))
    rows = []
    for kind, name in (("seconds", "s"), ("cpu", "CPU s")):
        ours, other = (Spread.of([one[kind] for one in found[size]]) for size in (large, small))
        rows.append(
            Row(
                "add", f"adding {count:,} documents to {large:,}", ours, f"adding them to {small:,}", other, name,
                "near 1", ours.median <= 1.5 * other.median,
                {"deleting_s": {str(size): Spread.of([one["deleting"] for one in runs]).median
                                for size, runs in found.items()}},
            )
        )  # fmt: skip
    return rows, {str(size): runs for size, runs in found.items()}
