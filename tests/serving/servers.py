"""Documents with metadata and odd ids, and real servers in processes of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TOKEN = "a-token-of-some-length-0123456789"
LONGEST_WAIT = 12_000  # turns of .05 seconds: what is waited for comes on a machine that is busy with other work too
SEARCHED = ["the cat sat on the mat", "rivers carry water", "whales breathe air", "green whales", "books about rivers"]
SENTENCES = [
    "The cat sat on the mat and the dog sat on the cat.",
    "Green plants make sugar from light, water and carbon dioxide.",
    "A whale is no fish: it breathes air and feeds its young with milk.",
    "Rivers carry water from the mountains to the sea; rivers also carry sand.",
    "The light of the sun takes eight minutes to reach the earth.",
    "She reads books about green whales, and he reads about rivers.",
]
IDS = ["cat", "plants/green", "../../etc/passwd", "50%25?x#y&z=1", "søster/日本", "whale+fish", "a//b", "<script>"]


def documents() -> list[Any]:
    """Return 32 documents; some of them have ids that a path has to quote."""
    from sparseembed.data.corpus import Document

    return [
        Document(
            IDS[number] if number < len(IDS) else f"d{number}",
            f"Title {number}",
            f"{SENTENCES[number % len(SENTENCES)]} {SENTENCES[number // len(SENTENCES)]}",
            {"year": 2000 + number, "lang": "de" if number % 2 else "en"},
        )
        for number in range(32)
    ]


class Running(NamedTuple):
    """A server in a process of its own."""

    process: "subprocess.Popen[str]"
    url: str
    log: Path

    def client(self, **options: Any) -> Any:
        import httpx

        return httpx.Client(base_url=self.url, timeout=300, trust_env=False, **options)

    def end(self) -> int:
        """End it as a service manager does, and return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(log: Path, *words: str | Path, **environment: str) -> Iterator[Running]:
    """Start `sparseembed serve` at a free port."""
    command = [sys.executable, "-m", "sparseembed", "serve", *map(str, words), "--port", "0"]
    cache = {"SPARSEEMBED_CACHE": str(log.parent / "cache")}
    with log.open("w") as errors:
        process = subprocess.Popen(command, stderr=errors, text=True, env=os.environ | cache | environment)
    try:
        url = _url(process, log)
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)).close()  # what is told is so
        _wait_for(url, process, log)
        yield Running(process, url, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url(process: "subprocess.Popen[str]", log: Path) -> str:
    for _ in range(LONGEST_WAIT):
        found = re.search(r"^serving .* at (\S+?),?( |$)", log.read_text(), re.MULTILINE)
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _wait_for(url: str, process: "subprocess.Popen[str]", log: Path) -> None:
    import httpx

    for _ in range(LONGEST_WAIT):
        try:
            if httpx.get(f"{url}/health", timeout=60, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def read_by_model(client: Any, **words: str) -> Any:
    """Ask what the model saw until it has been loaded and has had the time to read, as the page tells its users to."""
    return until(lambda: next((each for each in [client.get("/seen", params=words)] if each.status_code != 503), None))


def until(condition: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    for _ in range(LONGEST_WAIT):
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never was so")
