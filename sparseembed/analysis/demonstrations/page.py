"""The report's section "What the embedding says"."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

CSS = ".tokens .own{font-weight:700;text-decoration:underline}"
INTERVAL = "a bootstrap over few texts, so too narrow rather than too wide"


def says(found: Mapping[str, Any]) -> str:
    """Return the section.

    :param found: The demonstrations, as `demonstrate.section` returns them.
    :return: HTML, with a heading.
    """
    parts = ["<h2>What the embedding says</h2>"]
    if "left_out" in found:
        return "\n".join([*parts, f'<p class="note">Left out: {escape(found["left_out"])}</p>'])
    if found["instructions"]:
        parts += _instructions(found["instructions"], found["adjustment"])
    if found["relatedness"]:
        parts += _relatedness(found["relatedness"], found["adjustment"])
    return "\n".join(parts)


def visible(token: str) -> str:
    """Return a token with its control characters shown."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in token)


def _instructions(found: Mapping[str, Any], adjustment: str) -> list[str]:
    rows = []
    for each in found["instructions"]:
        if each["score"] is None:
            rows.append([each["name"], "none of its words is a token", "", each["prompt"]])
            continue
        score = f"{each['score']:+.2f} [{each['low']:+.2f}, {each['high']:+.2f}]"
        up = sum(shift > 0 for shift in each["moved"])
        rows.append([each["name"], score, f"{up} of {len(each['moved'])}", each["prompt"]])
    heads = ("instruction", "score", "texts moved up", "prompt")
    return [
        "<h3>Does it follow instructions?</h3>",
        f'<p class="note">Score: {escape(found["score"])}. Brackets: 95%, {INTERVAL}. Adjustment: '
        f"{escape(adjustment)}, fitted on {escape(found['fitted_on'])}.</p>",
        _table(heads, rows),
        '<p class="note">Aligned tokens of the same text under each instruction; filled: stands in the text; '
        "underlined: one of the instruction's own words.</p>",
        *(_block(each["text"], each["tokens"].items()) for each in found["texts"]),
    ]


def _relatedness(found: Mapping[str, Any], adjustment: str) -> list[str]:
    rows = [
        [each["kind"], f"{each['vocabulary_cosine']:.3f}", f"{each['dense_cosine']:.3f}", str(each["pairs"])]
        for each in found["kinds"]
    ]
    reading = found["reading"]
    return [
        "<h3>Similar, or only related?</h3>",
        f"<p>{escape(reading[:1].upper() + reading[1:])}.</p>" if reading else "",
        '<p class="note">Vocabulary cosine: of the scores of all tokens, each less their mean. A token adds to it the '
        "product of its scores in both texts, in ten-thousandths below; + brings the two together, - holds them apart. "
        "Adjustment: "
        f"{escape(adjustment)}, fitted on {escape(found['fitted_on'])}; the dense cosine is unadjusted.</p>",
        _table(("kind", "vocabulary cosine", "dense cosine", "pairs"), rows),
        *(_pair(each) for each in found["pairs"]),
    ]


def _pair(each: Mapping[str, Any]) -> str:
    first, second = each["texts"]
    title = f"{each['kind']}, {each['vocabulary_cosine']:.2f}: {first} / {second}"
    shares = {
        f"{key}, ten-thousandths": [{"token": f"{token['token']} {1e4 * token['share']:+.1f}"} for token in each[key]]
        for key in ("together", "apart")
    }
    # Lists, not a mapping by text: a text may be paired with itself.
    return _block(title, [(first, each["first"]), (second, each["second"]), *shares.items()])


def _block(title: str, lists: Iterable[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    shown = [
        f'<p class="tokens"><small>{escape(name)}</small><br>{"".join(_chip(token) for token in tokens)}</p>'
        for name, tokens in lists
    ]
    return f"<details><summary>{escape(title)}</summary>{''.join(shown)}</details>"


def _chip(token: Mapping[str, Any]) -> str:
    marks = " ".join(mark for mark in ("literal", "own") if token.get(mark))
    kind = f' class="{marks}"' if marks else ""
    return f"<span{kind}>{escape(visible(token['token']))}</span>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
