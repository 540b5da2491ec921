"""A hook of MkDocs: pages of docs/ link to files of the project outside of it, which the site then holds as well.

A page of `docs/` may link to `../benchmarks/README.md`, as GitHub and an editor follow it. The site has such files
under `project/`, Markdown as pages and all else as it is; links to folders become plain text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
PLACE = "project"


def on_files(files: Files, config: Any) -> Files:
    """Add the files that pages lead to, and those that these lead to."""
    waiting = [each for page in files.documentation_pages() for each in _outside(page.src_uri)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        uri = f"{PLACE}/{path}"
        if path.endswith(".md"):
            files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
            waiting += _outside(uri)
        else:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where the site has their files."""

    def led(found: re.Match[str]) -> str:
        mark, text, link = found.groups()
        path, _, anchor = link.partition("#")
        target = _target(page.file.src_uri, path) if path and "://" not in link else None
        if target is None:
            return found[0]
        if (ROOT / target).is_dir():
            return text
        uri = target.removeprefix("docs/") if target.startswith("docs/") else f"{PLACE}/{target}"
        there = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
        return f"{mark}[{text}]({there}{'#' + anchor if anchor else ''})"

    return LINK.sub(led, markdown)


def _source(uri: str) -> str:
    """Return where a page of the site stands in the project."""
    return uri.removeprefix(f"{PLACE}/") if uri.startswith(f"{PLACE}/") else f"docs/{uri}"


def _target(uri: str, link: str) -> str | None:
    """Return what a link of a page leads to in the project, if it leaves the page's own tree or the page is a guest."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(_source(uri)), link))
    if target.startswith("docs/") and not uri.startswith(f"{PLACE}/"):
        return None
    return target if (ROOT / target).exists() else None


def _outside(uri: str) -> list[str]:
    text = (ROOT / _source(uri)).read_text(encoding="utf-8")
    links = (each[2].partition("#")[0] for each in LINK.findall(text) if "://" not in each[2])
    targets = (_target(uri, link) for link in links if link)
    return [each for each in targets if each and not each.startswith("docs/") and (ROOT / each).is_file()]
