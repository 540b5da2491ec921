"""Kill drivers, workers and a node of a build on a Ray cluster: is what comes out what one machine gives?

    python benchmarks/crash_ray.py

A cluster of two nodes, of several processes each, is started on this machine. In each round an index is built on it,
from nothing, and something is killed (SIGKILL) again and again: the driver, which is then started again, at each step
of its work; a worker at each step that workers do; a node with all of its processes; and either at moments drawn at
random. The embeddings and the index are compared, file by file, with those of an undisturbed build without a cluster;
Lucene's files, which have random numbers, by what they answer.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crash import _contents, _make_inputs
from script import RESULTS, called, publish, status

from sparseembed.index.checked import record
from sparseembed.index.manifest import FILE
from sparseembed.progress import ConsoleReporter, note, set_reporter

ROOT = Path(__file__).parents[1]
SMALL = {"num_cpus": 1, "object_store_memory": 100 << 20}
STEPS = ("starting", "planning", "encoding", "counting", "writing", "merging", "done")
"""What a build does, in order, as far as its folders tell."""

SHARD = 256  # texts of a shard of embeddings


class Kill(NamedTuple):
    """Something to be killed, at a step that is drawn over the time of a build where it is None."""

    victim: str
    step: str | None = None


PLANNED = (
    [Kill("driver", step) for step in ("planning", "encoding", "counting", "writing", "merging")],
    [Kill("worker", step) for step in ("encoding", "counting", "writing")],
)
LAST = [Kill("node", "encoding")]


class Round:
    """One build on a cluster, and what is killed meanwhile."""

    def __init__(self, work: Path, number: int, cluster: Any, options: argparse.Namespace) -> None:
        """Begin to build in a folder of its own."""
        self.folder, self.starts = work / f"round{number}", 0
        self.killed: list[str] = []
        self._work, self._cluster, self._options = work, cluster, options
        self._driver = self._start()

    def kill(self, kill: Kill, chance: random.Random, seconds: float) -> None:
        """Wait for the moment, and kill; a driver is started again.

        :param kill: What and when.
        :param chance: Draws moments and workers.
        :param seconds: What an undisturbed build takes.
        """
        if kill.step is None:
            time.sleep(chance.uniform(0, seconds))
        else:
            while STEPS.index(self.step()) < STEPS.index(kill.step) and self._driver.poll() is None:
                time.sleep(0.001)
        if self._driver.poll() is not None:
            return
        if kill.victim == "node":
            node = next(each for each in self._cluster.list_all_nodes() if not each.is_head())
            self._cluster.remove_node(node, allow_graceful=False)
        else:
            victims = [self._driver.pid] if kill.victim == "driver" else _workers(self._cluster)
            if not victims:
                return
            os.kill(chance.choice(victims), signal.SIGKILL)
        self.killed.append(f"{kill.victim} ({self.step()})")
        note(f"{self.folder.name}: killed a {self.killed[-1]}")
        if kill.victim == "driver":
            self._driver.wait()
            self._driver = self._start()

    def end(self) -> None:
        """Let the build come to its end."""
        ended = self._driver.wait()
        assert ended == 0, f"the driver ended with {ended}"

    def step(self) -> str:
        """Say what the build does now."""
        work = self.folder / ".index.work"
        encoded = len(list((self.folder / "embeddings" / "documents").glob("*.npy")))
        written = len(list(work.glob(f"parts/*/{FILE}")))
        if (self.folder / "index" / FILE).exists():
            return "done"
        if written == self._options.parts:
            return "merging"
        if (work / "statistics").exists():
            return "writing"
        if encoded == -(-self._options.documents // SHARD):
            return "counting"
        return "encoding" if encoded else "planning" if (work / "plan.json").exists() else "starting"

    def _start(self) -> "subprocess.Popen[bytes]":
        self.starts += 1
        return _driver(self._work, self.folder.name, self._cluster.address, self._options.parts)


def run(options: argparse.Namespace) -> int:
    """Kill processes and report."""
    from ray.cluster_utils import Cluster

    chance = random.Random(options.seed)
    rows, failures = [], []
    with tempfile.TemporaryDirectory(prefix="crash-ray-", dir=options.folder) as name:
        work = Path(name)
        _make_inputs(work / "inputs", options.documents)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPARSEEMBED_CACHE": str(work / "cache")}
        os.environ.update(
            environment, RAY_worker_niceness="0", RAY_raylet_start_wait_time_s="300"
        )  # by default other processes come first
        begun = time.perf_counter()
        assert _driver(work, "whole", None, options.parts).wait() == 0, "the undisturbed build failed"
        seconds = time.perf_counter() - begun
        wanted = _look(work / "whole")
        note(f"built on one machine in {seconds:.0f} s")
        cluster = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
        cluster.add_node(**SMALL)
        try:
            for number, kills in enumerate(_plans(options, chance), start=1):
                row, failed = _round(Round(work, number, cluster, options), kills, chance, seconds, wanted)
                rows.append(row)
                failures += [f"round {number}: {each}" for each in failed]
                _report(rows, failures, options)
        finally:
            cluster.shutdown()
    return 1 if failures else 0


def _plans(options: argparse.Namespace, chance: random.Random) -> list[list[Kill]]:
    """Return what is killed in each round."""
    drawn = [[Kill(chance.choice(("driver", "worker"))) for _ in range(3)] for _ in range(options.drawn)]
    return [*PLANNED, *drawn, LAST]


def _round(
    building: Round, kills: Sequence[Kill], chance: random.Random, seconds: float, wanted: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Build once; give what was killed, and what came out otherwise than wanted."""
    for kill in kills:
        building.kill(kill, chance, seconds)
    failed = []
    try:
        building.end()
        found = _look(building.folder)
        failed += ["another result"] if found != wanted else []
        left = {each.name for each in building.folder.iterdir()} - {"index", "embeddings"}
        left |= {each.name for each in (building.folder / "embeddings").iterdir() if each.is_file()}
        failed += [f"left over: {sorted(left)}"] if left else []
    except AssertionError as error:
        failed.append(str(error))
    shutil.rmtree(building.folder)
    return {"killed": building.killed, "starts": building.starts, "equal": not failed}, failed


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
    stores = {each.name: record(each) for each in sorted((folder / "embeddings").glob("*/"))}
    contents = _contents(folder / "index")
    return {"stores": stores, "index": contents}


def _report(rows: list[dict[str, Any]], failures: list[str], options: argparse.Namespace) -> None:
    lines = [
        "# Killed on a Ray cluster",
        "",
        f"`{called('crash_ray.py')}`: {options.documents} documents in {options.parts} parts, two nodes, seed "
        f"{options.seed}. What was killed (SIGKILL) in each build, and what the build was doing; how often the command",
        "was given; and whether embeddings and index were, file by file (sha256), those of one machine, with nothing",
        "left over.",
        "",
        "| build | killed | commands | equal |",
        "| ---: | --- | ---: | --- |",
        *(
            f"| {n} | {', '.join(row['killed'])} | {row['starts']} | {'yes' if row['equal'] else '**no**'} |"
            for n, row in enumerate(rows, start=1)
        ),
        "",
        *(f"- {failure}" for failure in failures),
    ]
    publish(options.out, "\n".join(lines).rstrip() + "\n", {"rows": rows, "failures": failures})


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--drawn", type=int, default=2, help="further builds, killed at random moments (default: 2)")
    parser.add_argument("--parts", type=int, default=3, help="parts of the index (default: 3)")
    parser.add_argument("--documents", type=int, default=1500, help="documents of the collection (default: 1500)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's folder for such files)")
    parser.add_argument("--out", type=Path, default=RESULTS / "crash-ray", help="page and figures, without an ending")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    set_reporter(ConsoleReporter())
    sys.exit(status("crash_ray", lambda: run(options)))
