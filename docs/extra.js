// Tables that are wider than the page can be scrolled with the keyboard; the buttons of each block of code have a name.
function tidy() {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    each.tabIndex = 0;
    each.setAttribute("role", "group");
    each.setAttribute("aria-label", "Table");
  }
  for (const [place, each] of document.querySelectorAll("nav.md-code__nav").entries()) {
    if (!each.hasAttribute("aria-label")) each.setAttribute("aria-label", `Code ${place + 1}`);
  }
}

tidy();
new MutationObserver(tidy).observe(document.body, { childList: true, subtree: true });
