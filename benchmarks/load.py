"""A server under load: what a request takes, what fails while its index changes, and whether its memory grows.

    make load                                    pydocs, 10,000 requests at 1, 8 and 32 clients, 100,000 for memory
    python benchmarks/load.py --requests 500 --memory 2000 --replacements 1      a quick look

It builds an index of pydocs in a folder of its own, starts `sparseembed serve` on the loopback address in a process of
its own, and asks it, from this process, the queries of pydocs for ten hits with their texts: each client has one
connection and sends its next request when the answer to the last one is there. Beside it stands one thread of the
Python `Searcher` that reads the same hits and texts.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import numpy as np
from script import RESULTS, called, publish, status

from sparseembed import Searcher
from sparseembed.errors import EngineError
from sparseembed.progress import ConsoleReporter, note, set_reporter

CLIENTS = (1, 8, 32)
WARM = 300  # requests before any is timed: the engine's kernels are loaded in the background
HITS = 10


class Measured(NamedTuple):
    """A number of requests: how many failed, their times in milliseconds, and the seconds of all together."""

    clients: int
    failed: list[str]
    milliseconds: np.ndarray
    seconds: float

    def figures(self) -> dict[str, float]:
        """Return what the page tells of it."""
        p50, p99 = np.percentile(self.milliseconds, [50, 99])
        return {
            "clients": self.clients,
            "requests": len(self.milliseconds),
            "failed": len(self.failed),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "requests_per_second": round(len(self.milliseconds) / self.seconds),
        }


class Client:
    """One connection that is kept open."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url)

    async def __aenter__(self) -> "Client":
        host, port = self._place.hostname, self._place.port
        self._reader, self._writer = await asyncio.open_connection(host, port, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, target: str) -> tuple[int, bytes]:
        """Send a request without a body; return status and body of the response."""
        self._writer.write(f"{method} {target} HTTP/1.1\r\nhost: {self._place.netloc}\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        return int(head.split(b" ", 2)[1]), body


async def load(
    url: str, queries: Sequence[str], clients: int, most: int, over: asyncio.Event | None = None
) -> Measured:
    """Ask queries from some clients, one after the other each, until there were enough of them or something is over."""
    targets = [f"/search?k={HITS}&query={quote(query)}" for query in queries]
    numbers, failed, times = count(), [], []

    async def client() -> None:
        async with Client(url) as connection:
            while (number := next(numbers)) < most and not (over is not None and over.is_set()):
                start = time.perf_counter()
                try:
                    answered, body = await connection.ask("GET", targets[number % len(targets)])
                except (OSError, asyncio.IncompleteReadError) as error:
                    failed.append(repr(error))
                    return
                times.append(time.perf_counter() - start)
                if answered != 200:
                    failed.append(f"{answered} {body[:200]!r}")

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Measured(clients, failed, 1000 * np.asarray(times), time.perf_counter() - start)


def per_request(seconds: float, measured: Measured) -> dict[str, int]:
    """Return what a request takes of a processor, which other work of the machine makes little difference to."""
    return {"cpu_us": round(1e6 * seconds / len(measured.milliseconds))}


def python_thread(index: Path, queries: Sequence[str], most: int) -> dict[str, float]:
    """Search in this process, with one thread; return the figures."""
    times = []
    with Searcher.open(index) as searcher:
        searcher.engine.load()  # type: ignore[attr-defined]
        begin, before = time.perf_counter(), time.process_time()
        for number in range(most):
            start = time.perf_counter()
            for hit in searcher.search(queries[number % len(queries)], HITS):
                searcher.text(hit.id)
            times.append(time.perf_counter() - start)
        seconds, taken = time.perf_counter() - begin, time.process_time() - before
        measured = Measured(1, [], 1000 * np.asarray(times), seconds)
        return measured.figures() | per_request(taken, measured)


def build(index: Path, k: int) -> "subprocess.Popen[bytes]":
    """Begin to build an index of pydocs with K aligned terms, in the place of the one that stands there."""
    choices = ["-k", str(k), "--mix", "0.5", "--no-embeddings", "--overwrite"]
    return subprocess.Popen(
        [sys.executable, "-m", "sparseembed", "-q", "index", "pydocs", "--out", str(index), *choices]
    )


async def change(url: str, queries: Sequence[str], index: Path, reloads: int, replacements: int) -> dict[str, Any]:
    """Load a server from 32 clients while its index is replaced, and while it is told to reload, again and again."""
    over = asyncio.Event()
    loading = asyncio.create_task(load(url, queries, max(CLIENTS), sys.maxsize, over))
    seen, reloaded = set(), 0
    for number in range(replacements):
        builder = build(index, 512 + number)
        while builder.poll() is None:
            await asyncio.sleep(0.1)
        if builder.returncode:
            raise EngineError(f"the index could not be replaced: status {builder.returncode}")
        async with Client(url) as control:
            for _ in range(-(-reloads // replacements)):
                answered, body = await control.ask("POST", "/reload")
                reloaded += answered == 200
                seen.add(json.loads(body)["indexes"][0]["build"])
                await asyncio.sleep(0.05)
    over.set()
    measured = await loading
    told = {"reloads": reloaded, "replacements": replacements, "commits_seen": len(seen)}
    return measured.figures() | told | {"first_failures": measured.failed[:3]}


async def memory(url: str, queries: Sequence[str], process: int, most: int) -> list[dict[str, float]]:
    """Ask many queries, and look at the server's memory ten times meanwhile."""
    rows = [{"requests": 0, "mb": anonymous(process)}]
    for part in range(1, 11):
        measured = await load(url, queries, max(CLIENTS), most // 10)
        rows.append({"requests": part * (most // 10), "mb": anonymous(process), "failed": len(measured.failed)})
    return rows


def anonymous(process: int) -> float:
    """Return what a process and its children have of memory for themselves, files that are mapped left out, in MB."""
    total = 0.0
    for one in (process, *children(process)):
        told = Path(f"/proc/{one}/status").read_text()
        found = re.search(r"^RssAnon:\s+(\d+) kB", told, re.MULTILINE)
        total += int(found[1]) / 1024 if found else 0
    return round(total, 1)


def processor(process: int) -> float:
    """Return the processor time that a process and its children have taken, in seconds."""
    ticks = 0
    for one in (process, *children(process)):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    found = Path(f"/proc/{process}/task/{process}/children")
    return [int(each) for each in found.read_text().split()] if found.exists() else []


@contextmanager
def server(index: Path, folder: Path, workers: int) -> Iterator[tuple[str, int]]:
    """Start a server; give its address and its process."""
    log = folder / "log"
    command = [sys.executable, "-m", "sparseembed", "serve", str(index), "--port", "0", "--workers", str(workers)]
    with log.open("wb") as errors, subprocess.Popen(command, stderr=errors) as process:
        try:
            while not (found := re.search(r"^serving .* at (http://[0-9.:]+)", log.read_text(), re.MULTILINE)):
                if process.poll() is not None:
                    raise EngineError(f"the server did not start: {log.read_text()}")
                time.sleep(0.1)
            asyncio.run(load_when_ready(found[1]))
            yield found[1], process.pid
        finally:
            process.send_signal(signal.SIGTERM)


async def load_when_ready(url: str) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        try:
            async with Client(url) as client:
                if (await client.ask("GET", "/health"))[0] == 200:
                    return
        except OSError:
            await asyncio.sleep(0.1)
    raise EngineError(f"the server at {url} does not answer")


def page(command: str, figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    head = ("", "clients", "requests", "failed", "p50, ms", "p99, ms", "requests a second", "processor, µs")
    names = ("clients", "requests", "failed", "p50_ms", "p99_ms", "requests_per_second", "cpu_us")
    rows = [("one thread of `Searcher`", figures["python"]), *(("server", each) for each in figures["server"])]
    table = [
        "| " + " | ".join(head) + " |",
        "| --- |" + " ---: |" * (len(head) - 1),
        *("| " + " | ".join([name, *(f"{row[each]:,}" for each in names)]) + " |" for name, row in rows),
    ]
    changing, rising = figures["changing"], figures["memory"]
    busy = figures["load_average"] > figures["cores"]
    beside = "; **beside other work of this machine**" if busy else ""
    return "\n".join(
        [
            "# The server under load",
            "",
            f"`{command}`, {figures['when']}, {figures['workers']} server process(es), {figures['cores']} cores "
            f"(load average at the start {figures['load_average']}{beside}). pydocs, {figures['documents']:,} "
            f"documents, {HITS} hits with their texts a request; the clients are one process of the same machine. "
            "*Processor*: the time that the server, or the thread, takes of a core for a request.",
            "",
            *table,
            "",
            f"While the index was replaced {changing['replacements']} times (`index --overwrite` in place) and "
            f"{changing['reloads']} times reloaded, {changing['clients']} clients sent {changing['requests']:,} "
            f"requests: **{changing['failed']} failed**, p99 {changing['p99_ms']} ms.",
            "",
            f"The server's own memory (`RssAnon`), after so many further requests from {max(CLIENTS)} clients:",
            "",
            "| requests | " + " | ".join(f"{row['requests']:,}" for row in rising) + " |",
            "| --- |" + " ---: |" * len(rising),
            "| MB | " + " | ".join(f"{row['mb']:g}" for row in rising) + " |",
            "",
        ]
    )


def run() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="requests at each number of clients")
    parser.add_argument("--memory", type=int, default=100_000, help="requests while memory is looked at")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--replacements", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="server processes")
    parser.add_argument("--out", type=Path, default=RESULTS / "load", help="where the page is written, without ending")
    options = parser.parse_args()
    set_reporter(ConsoleReporter())
    lines = files("sparseembed.data.pydocs").joinpath("queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line)["text"] for line in lines]
    figures: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "workers": options.workers,
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory(prefix="sparseembed-load-") as temporary:
        folder = Path(temporary)
        index = folder / "pydocs"
        note("building the index")
        if build(index, 1024).wait():
            raise EngineError("the index could not be built")
        figures["python"] = python_thread(index, queries, options.requests)
        with Searcher.open(index) as searcher:
            figures["documents"] = searcher.manifest.counts["documents"]
        with server(index, folder, options.workers) as (url, process):
            asyncio.run(load(url, queries, max(CLIENTS), WARM))
            figures["server"] = []
            for clients in CLIENTS:
                before = processor(process)
                measured = asyncio.run(load(url, queries, clients, options.requests))
                figures["server"].append(measured.figures() | per_request(processor(process) - before, measured))
                note(str(figures["server"][-1]))
            note(f"replacing the index {options.replacements} times")
            figures["changing"] = asyncio.run(change(url, queries, index, options.reloads, options.replacements))
            note(str(figures["changing"]))
            figures["memory"] = asyncio.run(memory(url, queries, process, options.memory))
    publish(options.out, page(called("load.py"), figures), figures)


if __name__ == "__main__":
    raise SystemExit(status("load", run))  # type: ignore[arg-type]
