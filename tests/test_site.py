"""The documentation as a site: built strictly, its links followed, and looked at in a browser."""

import importlib.util
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

for package in ("mkdocs", "material", "mkdocstrings"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make docs", allow_module_level=True)

ROOT = Path(__file__).parents[1]
DESK, PHONE = (1280, 800), (390, 844)
# One of each kind: text with pictures, a notebook, tables, code of three languages, the API.
VIEWS = ["alignment", "notebooks/your-first-index", "results", "tutorial-developer", "api"]
TIMEOUT = 600_000


class Page(HTMLParser):
    """What a page links to, its anchors, and its pictures."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.pictures = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        self.links += [given[key] for key in ("href", "src") if given.get(key)]
        if tag == "img":
            self.pictures.append(given)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from the pages as they are."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder


def test_links_lead_somewhere_and_pictures_are_described(site):
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 30
    followed = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target in pages:
                anchor = unquote(parts.fragment)
                assert anchor in pages[target].anchors or anchor.startswith("__"), f"{path.relative_to(site)}: {link}"
            followed += 1
        for picture in page.pictures:
            assert picture.get("alt"), f"{path.relative_to(site)}: {picture}"
    assert followed > 1000


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def visit(context, site, name):
    page = context.new_page()
    page.goto((site / name / "index.html").as_uri(), timeout=TIMEOUT)
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_violations_and_no_sideways_scrolling(site, browser, size, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    # The theme is the same everywhere: wide and in the dark, two pages will do.
    for name in VIEWS if size == PHONE and not dark else VIEWS[:2]:
        page = visit(context, site, name)
        assert page.evaluate("document.body.dataset.mdColorScheme") == ("slate" if dark else "default")
        found = axe.Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert fits(page), name
        page.close()
    context.close()


def test_no_page_is_wider_than_a_phone(site, browser):
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]}, java_script_enabled=False)
    page = context.new_page()
    for path in sorted(site.rglob("index.html")):
        page.goto(path.as_uri(), timeout=TIMEOUT)
        assert fits(page), path.relative_to(site)
    context.close()


def test_print_is_the_text_alone(site, browser):
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]}, color_scheme="dark")
    page = visit(context, site, VIEWS[0])
    page.emulate_media(media="print")
    for name in (".md-header", ".md-sidebar", ".md-footer"):
        assert not any(each.is_visible() for each in page.locator(name).all()), name
    assert page.locator("article img").first.is_visible()
    ink, paper = page.evaluate(
        """() => [getComputedStyle(document.querySelector('article p')).color,
                  getComputedStyle(document.body).backgroundColor]"""
    )
    assert lightness(ink) < 0.4 < 0.9 < lightness(paper), (ink, paper)
    link = page.locator("article a[href^=http]").first
    assert page.evaluate("each => getComputedStyle(each, '::after').content", link.element_handle()).count("http") == 1
    assert page.pdf(format="A4").startswith(b"%PDF")
    context.close()


def lightness(colour):
    """Return how light a CSS colour is on white paper, 0 to 1."""
    parts = [float(part) for part in colour.partition("(")[2].rstrip(")").replace(",", " ").replace("/", " ").split()]
    strength = parts[3] if len(parts) > 3 else 1.0
    return 1 - strength * (1 - sum(parts[:3]) / 765)
