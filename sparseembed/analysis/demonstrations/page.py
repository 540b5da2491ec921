"""The report's section "What the embedding says": what its template shows."""

from collections.abc import Mapping, Sequence
from typing import Any

INTERVAL = "a bootstrap over few texts, so too narrow rather than too wide"

Tokens = Sequence[Mapping[str, Any]]


def says(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `templates/says.html`.

    :param found: The demonstrations, as `demonstrate.section` returns them.
    """
    if "left_out" in found:
        return {"left_out": found["left_out"]}
    asked, related = found["instructions"], found["relatedness"]
    return {
        "interval": INTERVAL,
        "adjustment": found["adjustment"],
        "instructions": asked and {**asked, "rows": _instructions(asked["instructions"])},
        "relatedness": related and {**related, "rows": _kinds(related["kinds"]), "blocks": _pairs(related["pairs"])},
    }


def printable(token: str) -> str:
    """Return a token with its control characters shown."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in token)


def _instructions(instructions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = []
    for each in instructions:
        if each["score"] is None:
            rows.append([each["name"], "none of its words is a token", "", each["prompt"]])
            continue
        score = f"{each['score']:+.2f} [{each['low']:+.2f}, {each['high']:+.2f}]"
        up = sum(shift > 0 for shift in each["moved"])
        rows.append([each["name"], score, f"{up} of {len(each['moved'])}", each["prompt"]])
    return rows


def _kinds(kinds: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [each["kind"], f"{each['vocabulary_cosine']:.3f}", f"{each['dense_cosine']:.3f}", str(each["pairs"])]
        for each in kinds
    ]


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, Tokens]]]]:
    """Return each pair's title and lists of tokens: lists, not a mapping by text, which may be paired with itself."""
    blocks = []
    for each in pairs:
        first, second = each["texts"]
        title = f"{each['kind']}, {each['vocabulary_cosine']:.2f}: {first} / {second}"
        lists: list[tuple[str, Tokens]] = [(first, each["first"]), (second, each["second"])]
        for key in ("together", "apart"):
            shares = [{"token": f"{token['token']} {1e4 * token['share']:+.1f}"} for token in each[key]]
            lists.append((f"{key}, ten-thousandths", shares))
        blocks.append((title, lists))
    return blocks
