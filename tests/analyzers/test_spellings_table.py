"""The table of spellings of docs/languages.md: which of them are the same terms, computed anew and compared."""

from pathlib import Path

import pytest

from sparseembed.analyzers.registry import open_analyzer

PAGE = Path(__file__).parents[2] / "docs" / "languages.md"
ANALYZERS = ("lucene-english", "lucene-german", "lucene-turkish", "lucene-japanese", "cjk", "unicode", "whitespace")
SPACES = ("folded", "token")
MARK = "<!-- spellings -->"
PAIRS = (
    ("composed, in two parts", "Häuser", "Ha\u0308user", "Häuser, Ha + ¨ + user"),
    ("soft hyphen", "Häuser", "Häu\u00adser", "Häuser, Häu-ser"),
    ("ligature", "Grafik", "Gra\ufb01k", "Grafik, Graﬁk"),
    ("full width", "Haus 25", "Ｈａｕｓ　２５", "Haus 25, Ｈａｕｓ　２５"),
    ("half width", "ガギ", "ｶﾞｷﾞ", "ガギ, ｶﾞｷﾞ"),
    ("case", "Haus", "HAUS", "Haus, HAUS"),
    ("case, two letters", "Straße", "STRASSE", "Straße, STRASSE"),
    ("dotless i", "ısı", "ISI", "ısı, ISI"),
    ("last sigma", "ΟΔΟΣ", "οδος", "ΟΔΟΣ, οδος"),
    ("accent", "Café", "Cafe", "Café, Cafe"),
    ("umlaut", "Häuser", "Haeuser", "Häuser, Haeuser"),
    ("apostrophe", "don't", "don’t", "don't, don’t"),
    ("no-break space", "alte Häuser", "alte\u00a0Häuser", "alte Häuser, alte + U+00A0 + Häuser"),
    ("ending", "Häuser", "Haus", "Häuser, Haus"),
    ("part of a word", "日本語", "日本", "日本語, 日本"),
)


def table():
    from sparseembed.embedders.load import load_embedder
    from sparseembed.sparse.literal import WordTerms
    from sparseembed.sparse.pieces import piece_space
    from sparseembed.sparse.terms import PieceTermSpace

    tokenizer = load_embedder().tokenizer
    columns = {name: WordTerms(open_analyzer(name)) for name in ANALYZERS}
    for kind in SPACES:
        space = PieceTermSpace.of(kind, piece_space(kind, tokenizer, tokenizer.get_vocab_size()), tokenizer)
        columns[kind] = space.literal
    lines = [f"| | | {' | '.join(columns)} |", f"| --- | --- |{' :---: |' * len(columns)}"]
    for name, first, second, told in PAIRS:
        cells = [_told(terms.of(first), terms.of(second)) for terms in columns.values()]
        lines.append(f"| {name} | {told} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _told(first, second):
    if first == second:
        return "same" if first else "none"
    return "shared" if set(first) & set(second) else "-"


@pytest.mark.jvm
@pytest.mark.model
def test_the_table_of_the_page_is_what_comes_out():
    _, stored, _ = PAGE.read_text(encoding="utf-8").split(MARK)
    assert stored.strip() == table()
