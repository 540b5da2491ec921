"""Measures that need a process of their own: a peak of memory, a first start.

    echo '{"task": "build", ...}' | python -m efficiency_rows.child

The task is read from standard input, and what was measured is written to the file that it names.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]


def in_child(task: str, nice: int = 0, **given: Any) -> Any:
    """Run a task in a process of its own.

    :param task: A key of `TASKS`.
    :param nice: How much the process is to stand back.
    :param given: The task's arguments; what can be JSON.
    :return: What it measured.
    :raises RuntimeError: It failed.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="sparseembed-bench-") as folder:
        out = Path(folder) / "result.json"
        order = {"task": task, "out": str(out), "nice": nice, **given}
        done = subprocess.run(
            [sys.executable, "-m", "efficiency_rows.child"],
            input=json.dumps(order),
            text=True,
            cwd=HERE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), *sys.path[1:]])},
            stdout=subprocess.DEVNULL,
            stderr=None if given.get("loud") else subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{task} failed in its process: {(done.stderr or '')[-2000:]}")
        return json.loads(out.read_text())


def build(corpus: str, index: str, store: str, embedder: str | None, loud: bool = False) -> dict[str, Any]:
    """Build an index through the stub embedder; return its phases, memory and bytes by file."""
    from efficiency_rows.phases import Phases, memory
    from efficiency_rows.stub import stub_embedder
    from sparseembed.indexing.build import build_index
    from sparseembed.progress import ConsoleReporter

    stub = stub_embedder(embedder)
    before = memory("VmRSS")
    with Phases(ConsoleReporter() if loud else None) as phases:
        start = time.perf_counter()
        built = build_index(corpus, index, stub, embeddings=store)
        seconds = time.perf_counter() - start
    return {
        "documents": built.manifest.counts["documents"],
        "seconds": seconds,
        "phases": phases.seconds,
        "phases_cpu": phases.cpu,
        "phases_peak_mb": phases.peak_mb,
        "memory_before_mb": before,
        "peak_mb": memory("VmHWM"),
        "counts": built.manifest.counts,
        "known_terms": _known(built.manifest, Path(index)),
        "bytes": sizes(Path(index)),
        "store_bytes": sum(sizes(Path(store)).values()),
    }


def add(index: str, corpus: str, cache: str, embedder: str | None) -> dict[str, Any]:
    """Add documents to an index through the stub embedder, and delete them again."""
    from efficiency_rows.phases import Phases, memory
    from efficiency_rows.stub import stub_embedder
    from sparseembed.data.resolve import open_corpus
    from sparseembed.indexing.update import Index

    stub = stub_embedder(embedder)
    stub.identity()
    os.environ["SPARSEEMBED_CACHE"] = cache  # where embeddings of added documents go
    opened, standing = open_corpus(corpus), Index(index, stub)
    with Phases() as phases:
        start, cpu = time.perf_counter(), time.process_time()
        standing.add(opened)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    start = time.perf_counter()
    standing.delete(opened.ids)
    return {
        "seconds": seconds,
        "cpu": cpu,
        "phases": phases.seconds,
        "deleting": time.perf_counter() - start,
        "peak_mb": memory("VmHWM"),
        "segments": [each["documents"] for each in standing.manifest.segments],
    }


def change(index: str, corpus: str, deleted: list[str], cache: str, embedder: str | None) -> dict[str, Any]:
    """Delete documents from an index, and add others."""
    from efficiency_rows.phases import memory
    from efficiency_rows.stub import stub_embedder
    from sparseembed.indexing.update import Index

    stub = stub_embedder(embedder)
    stub.identity()
    os.environ["SPARSEEMBED_CACHE"] = cache
    start = time.perf_counter()
    Index(index, stub).delete(deleted)
    gone = time.perf_counter()
    manifest = Index(index, stub).add(corpus)
    return {
        "deleted": len(deleted),
        "deleting_s": gone - start,
        "adding_s": time.perf_counter() - gone,
        "documents": manifest.counts["documents"],
        "peak_mb": memory("VmHWM"),
    }


def opening(index: str, engine: str, query: str) -> dict[str, Any]:
    """Open an index as a program's first act, and search once."""
    start = time.perf_counter()
    from sparseembed.retrieval.searcher import Searcher

    imported = time.perf_counter()
    searcher = Searcher.open(index, engine=engine)
    opened = time.perf_counter()
    hits = len(searcher.search(query))
    searched = time.perf_counter()
    return {
        "import": imported - start,
        "open": opened - imported,
        "seconds": opened - start,
        "first_search": searched - opened,
        "hits": hits,
        "modules": sorted({"torch", "jnius", "numba", "scipy", "transformers"} & set(sys.modules)),
        "java": "libjvm" in Path("/proc/self/maps").read_text() if Path("/proc/self/maps").exists() else None,
    }


def latency(index: str, queries: list[str], ks: list[int], repeats: int) -> dict[str, Any]:
    """Search an index with the native engine, query by query."""
    from efficiency_rows.measure import each
    from sparseembed.retrieval.searcher import Searcher

    with Searcher.open(index) as searcher:
        return {str(k): each({"native": lambda text, k=k: searcher.search(text, k)}, queries, repeats) for k in ks}


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of the files below a folder, those of Lucene and of shards together."""
    found: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts = path.relative_to(folder).parts
            name = "/".join(parts) if parts[0] not in ("lucene", "documents", "query-like", "rests") else parts[0]
            found[name] = found.get(name, 0) + path.stat().st_size
    return found


def _known(manifest: Any, index: Path) -> int:
    terms = index / manifest.statistics["folder"] / "frequency.i64"
    return terms.stat().st_size // 8


TASKS = {"build": build, "add": add, "change": change, "opening": opening, "latency": latency}


def main() -> int:
    """Run the task that standard input names."""
    order = json.load(sys.stdin)
    os.nice(order.pop("nice", 0))
    task, out = order.pop("task"), order.pop("out")
    Path(out).write_text(json.dumps(TASKS[task](**order)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
