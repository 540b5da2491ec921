// The plain search needs none of this: "/" puts the cursor into the box, and Escape leaves it.
"use strict";

document.getElementById("keys")?.removeAttribute("hidden");

document.addEventListener("keydown", (event) => {
  const box = document.getElementById("q");
  const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
  if (!box || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "/" && !writing) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.blur();
  }
});
