"""Twenty short texts of several kinds and languages: what an embedder makes of texts in general."""

from pathlib import Path

_FILE = Path(__file__).with_name("general.txt")


def general_texts() -> list[str]:
    """Return the texts, under this project's licence; none is blank."""
    return [text for text in _FILE.read_text(encoding="utf-8").splitlines() if text]
