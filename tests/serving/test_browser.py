"""The page in a real browser: by keyboard, on a phone, in the dark, without JavaScript, and read by axe-core."""

import pytest
from test_page import paged, pieces, strange  # noqa: F401 (fixtures)

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]
DESK, PHONE = (1280, 800), (390, 844)
QUERY = "/?q=green+whales+alert"
VIEWS = [
    "/",
    QUERY,
    "/compare?q=green+whales",
    "/seen?text=A+whale+is+no+fish.",
    "/document?id=cat",
    "/document?id=nobody",
]


@pytest.fixture
def visit(browser, paged):  # noqa: F811
    """Return a function that opens a page in a window of its own, and watches what it asks for."""
    contexts = []

    def opened(path, size=DESK, dark=False, script=True):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            is_mobile=size == PHONE,
            has_touch=size == PHONE,
        )
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints, page.dialogs = [], [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: heard(page, message))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(paged.url + path, timeout=120_000)
        return page

    yield opened
    for context in contexts:
        context.close()


def heard(page, message):
    """Keep what the browser says is wrong; it also tells of what it did, as where the focus already was."""
    if message.type in ("error", "warning"):
        page.complaints.append(message.text)


def sound(page, url):
    """Check that nothing else was asked for, and that nothing was refused or went wrong."""
    assert all(each.startswith(url) for each in page.asked)
    assert page.dialogs == []
    assert [each for each in page.complaints if "404" not in each] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_violations_and_no_sideways_scrolling(visit, paged, size, dark):  # noqa: F811
    for path in VIEWS:
        page = visit(path, size, dark)
        for why in page.locator("summary").all():
            why.click()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        sound(page, paged.url)
        dark_page = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, dark_page[4:-1].split(", "))) < 200) == dark


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_search_without_javascript(visit, paged, size):  # noqa: F811
    page = visit("/", size, script=False)
    page.locator("#q").fill("green whales")
    page.locator("form.search button").click()
    page.wait_for_url("**/?q=green+whales*")
    assert page.locator("article").count() > 2
    assert page.locator("mark.words").count() > 2
    table = page.locator("table.terms").first
    assert not table.is_visible()
    page.locator("summary").first.click()
    assert table.is_visible()
    page.locator("article h2 a").first.click()
    page.wait_for_url("**/document?id=*")
    assert page.locator("h1").inner_text()
    sound(page, paged.url)


def test_by_keyboard_alone(visit):
    page = visit(QUERY)
    focused = "document.activeElement.{}"
    page.keyboard.press("Tab")
    assert page.evaluate(focused.format("textContent")) == "Skip to the results"
    playwright.expect(page.locator(".skip")).to_be_in_viewport(ratio=1, timeout=60_000)  # it slides in
    page.keyboard.press("Enter")
    assert page.evaluate(focused.format("id")) == "main"
    page.keyboard.press("Tab")
    while not page.evaluate("document.activeElement.closest('article') !== null"):
        page.keyboard.press("Tab")
    assert page.evaluate(focused.format("tagName")) == "A"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Tab")
    assert page.evaluate(focused.format("tagName")) == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.locator("table.terms").first.is_visible()
    page.keyboard.press("/")
    assert page.evaluate(focused.format("id")) == "q"
    page.keyboard.type("rivers carry/")
    assert page.locator("#q").input_value() == "rivers carry/"
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=rivers+carry*")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert page.evaluate(focused.format("tagName")) == "BODY"


def test_a_document_of_markup_is_shown_as_text(visit, paged):  # noqa: F811
    page = visit("/?q=alert+quoted+single")
    title = page.locator("article h2").first.inner_text()
    assert title.startswith("<script>alert(1)</script>")
    page.locator("article h2 a").first.click()
    page.wait_for_url("**/document*")
    assert "<img src=x onerror=alert(2)>" in page.locator(".contents").inner_text()
    assert page.locator(".contents img").count() == 0
    sound(page, paged.url)


def test_the_policy_holds_what_would_be_slipped_in(visit):
    page = visit(QUERY)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.slipped = 1";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<p id=p style='color:red'>x</p>");
        }"""
    )
    assert page.evaluate("window.slipped") is None
    assert page.evaluate("getComputedStyle(document.getElementById('p')).color") != "rgb(255, 0, 0)"


def test_print_is_the_hits_in_dark_ink(visit):
    page = visit(QUERY, dark=True)
    page.emulate_media(media="print")
    assert not any(each.is_visible() for name in (".top", "footer", ".skip") for each in page.locator(name).all())
    assert page.locator("article h2").first.is_visible()
    style = "getComputedStyle(document.querySelector('article {}')).{}"
    for part in ("h2 a", ".words"):
        ink = page.evaluate(style.format(part, "color"))
        assert sum(map(int, ink[4:-1].split(", "))) < 400, (part, ink)
    assert page.evaluate(style.format(".words", "printColorAdjust")) == "exact"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_targets_are_large_enough_for_a_thumb(visit):
    page = visit(QUERY, PHONE)
    for name in ("form.search button", "summary >> nth=0", ".tabs a >> nth=0"):
        box = page.locator(name).bounding_box()
        assert box["height"] >= 24
        assert box["width"] >= 24
