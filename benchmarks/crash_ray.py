"""Kill workers and the driver of a build on a Ray cluster: is what the same command then gives what one machine gives?

    python benchmarks/crash_ray.py --rounds 5

A cluster of two nodes, of several processes each, is started on this machine. In each round an index is built on it,
from nothing; at moments drawn at random a worker is killed (SIGKILL) or the driver, which is then started again, until
a driver ends by itself. The embeddings and the index are compared, file by file, with those of an undisturbed build
without a cluster; Lucene's files, which have random numbers, by what they answer.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from crash import _contents, _make_inputs
from script import RESULTS, called, publish, status

from sparseembed.index.checked import record

ROOT = Path(__file__).parents[1]
KINDS = ("worker", "driver")


def run(options: argparse.Namespace) -> int:
    """Kill processes and report."""
    from ray.cluster_utils import Cluster

    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="crash-ray-", dir=options.folder) as name:
        work = Path(name)
        _make_inputs(work / "inputs", options.documents)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPARSEEMBED_CACHE": str(work / "cache")}
        os.environ.update(environment, RAY_worker_niceness="0")  # by default other processes come first
        begun = time.perf_counter()
        assert _driver(work, "whole", None, options.parts).wait() == 0, "the undisturbed build failed"
        seconds = time.perf_counter() - begun
        wanted = _look(work / "whole")
        small = {"num_cpus": 1, "object_store_memory": 100 << 20}
        cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        cluster.add_node(**small)
        rows, failures = [], []
        try:
            for number in range(options.rounds):
                row = _round(work, f"round{number}", cluster, options, chance, seconds)
                found = _look(work / f"round{number}")
                row["equal"] = int(found == wanted)
                left = {each.name for each in (work / f"round{number}").iterdir()} - {"index", "embeddings"}
                if found != wanted or left:
                    failures.append(f"round {number}: another result, or left over: {sorted(left)}")
                rows.append(row)
                shutil.rmtree(work / f"round{number}")
        finally:
            cluster.shutdown()
    _report(rows, failures, options)
    return 1 if failures else 0


def _round(
    work: Path, name: str, cluster: Any, options: argparse.Namespace, chance: random.Random, seconds: float
) -> dict[str, Any]:
    """Build once, killing what is drawn; give how many of each were killed."""
    row: dict[str, Any] = dict.fromkeys(KINDS, 0) | {"drivers": 1}
    driver, kills = _driver(work, name, cluster.address, options.parts), options.kills
    while True:
        try:
            ended = driver.wait(timeout=chance.uniform(1, seconds) if kills else None)
            assert ended == 0, f"the driver ended with {ended}"
            return row
        except subprocess.TimeoutExpired:
            kills -= 1
        kind = chance.choice(KINDS)
        victims = _workers(cluster) if kind == "worker" else [driver.pid]
        if not victims:
            continue
        os.kill(chance.choice(victims), signal.SIGKILL)
        row[kind] += 1
        if kind == "driver":
            driver.wait()
            driver = _driver(work, name, cluster.address, options.parts)
            row["drivers"] += 1


def _driver(work: Path, name: str, address: str | None, parts: int) -> "subprocess.Popen[bytes]":
    """Start a build."""
    out = work / name
    command = [sys.executable, "-m", "sparseembed", "index", str(work / "inputs" / "old.jsonl")]
    command += ["--out", str(out / "index"), "--embeddings", str(out / "embeddings"), "-k", "24", "--quiet"]
    command += ["--embedder", str(work / "inputs" / "model"), "--dtype", "float32"]
    command += ["--ray", address, "--workers", "2", "--parts", str(parts)] if address else []
    return subprocess.Popen(command)


def _workers(cluster: Any) -> list[int]:
    """Return the processes of the cluster's workers: children of its nodes, named after our class."""
    nodes = {process.pid for node in cluster.list_all_nodes() for _, process in node.live_processes()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            named = (folder / "cmdline").read_bytes().startswith(b"ray::Worker")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if named and parent in nodes:
            found.append(int(folder.name))
    return found


def _look(folder: Path) -> dict[str, Any]:
    """Say what was built: checksums, answers, what is left over."""
    stores = {each.name: record(each) for each in sorted((folder / "embeddings").iterdir())}
    contents = _contents(folder / "index")
    return {"stores": stores, "index": contents}


def _report(rows: list[dict[str, Any]], failures: list[str], options: argparse.Namespace) -> None:
    heads = ("worker", "driver", "drivers", "equal")
    lines = [
        "# Killed on a Ray cluster",
        "",
        f"`{called('crash_ray.py')}`: {options.documents} documents in {options.parts} parts, two nodes, seed "
        f"{options.seed}. Workers and drivers killed, drivers started, and whether embeddings and index were, file by",
        "file, those of one machine.",
        "",
        f"| round | {' | '.join(heads)} |",
        "| --- |" + " ---: |" * len(heads),
        *(f"| {n} | {' | '.join(str(row[head]) for head in heads)} |" for n, row in enumerate(rows, start=1)),
        "",
        *(f"- {failure}" for failure in failures),
    ]
    publish(options.out, "\n".join(lines).rstrip() + "\n", json.loads(json.dumps({"rows": rows, "failures": failures})))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="builds (default: 5)")
    parser.add_argument("--kills", type=int, default=4, help="kills in each, at most (default: 4)")
    parser.add_argument("--parts", type=int, default=3, help="parts of the index (default: 3)")
    parser.add_argument("--documents", type=int, default=1500, help="documents of the collection (default: 1500)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's folder for such files)")
    parser.add_argument("--out", type=Path, default=RESULTS / "crash-ray", help="page and figures, without an ending")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    sys.exit(status("crash_ray", lambda: run(options)))
