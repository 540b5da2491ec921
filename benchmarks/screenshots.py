"""Pictures of the page for the documentation: docs/images/page-*.png, from the built-in collection.

Needs a chromium and the package playwright; Pillow makes the files small.

    python benchmarks/screenshots.py [--index indexes/pydocs] [--chromium /usr/bin/chromium]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from script import status

IMAGES = Path(__file__).parents[1] / "docs" / "images"
QUERY = "q=pick+a+random+element+from+a+list"
TEXT = "text=Choose+a+random+element+from+a+non-empty+sequence."
LARGEST = 150_000  # bytes of a picture


class View(NamedTuple):
    """What a picture shows."""

    name: str
    path: str
    width: int
    height: int
    dark: bool = False
    opened: bool = False


VIEWS = (
    View("page-results", f"/?{QUERY}", 1280, 860, opened=True),
    View("page-compare", f"/compare?{QUERY}", 1280, 860),
    View("page-seen", f"/seen?{TEXT}", 1280, 860),
    View("page-phone", f"/?{QUERY}", 390, 844, dark=True, opened=True),
)


def main() -> None:
    """Make the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="indexes/pydocs", help="the index (default: indexes/pydocs)")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser (default: /usr/bin/chromium)")
    options = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with _served(options.index) as url, sync_playwright() as started:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = started.chromium.launch(executable_path=options.chromium, args=sandbox)
        for view in VIEWS:
            context = browser.new_context(
                viewport={"width": view.width, "height": view.height},
                color_scheme="dark" if view.dark else "light",
                device_scale_factor=2 if view.width < 500 else 1,
            )
            page = context.new_page()
            page.goto(url + view.path, timeout=120_000)
            for _ in range(30):  # until the model is loaded, and all is warm
                answer = page.goto(url + view.path, timeout=120_000)
                if answer is not None and answer.ok:
                    break
                time.sleep(2)
            if view.opened:
                page.locator("summary").first.click()
            size = _write(IMAGES / f"{view.name}.png", page.screenshot())
            sys.stdout.write(f"{view.name}.png: {size:,} bytes\n")
            context.close()
        browser.close()


def _write(path: Path, picture: bytes) -> int:
    """Write a picture with the colours that it needs, and return its size."""
    from PIL import Image

    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    assert size < LARGEST, f"{path} has {size:,} bytes"
    return size


@contextmanager
def _served(index: str) -> Iterator[str]:
    """Serve an index at a free port, and give its address."""
    command = [sys.executable, "-m", "sparseembed", "serve", index, "--port", "0", "--inspect", "--seconds", "120"]
    with tempfile.NamedTemporaryFile("w+") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            while not (found := re.search(r"^serving .* at (\S+)$", Path(log.name).read_text(), re.MULTILINE)):
                if server.poll() is not None:
                    raise SystemExit(Path(log.name).read_text())
                time.sleep(0.1)
            yield found[1]
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(status("screenshots", main))
