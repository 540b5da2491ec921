"""The model card of an adapter, written by the run that trained it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparseembed.charts import Series, lines

_UNKNOWN = "not given"


def write_card(folder: Path, name: str, trained: Mapping[str, Any]) -> None:
    """Write README.md and curve.svg.

    :param folder: The adapter's folder.
    :param name: What the adapter is called.
    :param trained: What training.json holds.
    """
    curve = trained["about"]["curve"]
    (folder / "curve.svg").write_text(curve_svg(curve), encoding="utf-8")
    (folder / "README.md").write_text(card(name, trained), encoding="utf-8")


def curve_svg(curve: Sequence[Mapping[str, Any]]) -> str:
    """Draw the losses by step: at most two objectives, in training and on held-out pairs."""
    drawn = []
    for objective in list(curve[0]["loss"])[:2]:
        drawn.append(Series(f"{objective}, training", *_points(curve, "loss", objective)))
        drawn.append(Series(f"{objective}, held out", *_points(curve, "validation", objective)))
    return lines(drawn, "step", "loss")


def _points(curve: Sequence[Mapping[str, Any]], part: str, objective: str) -> tuple[list[float], list[float]]:
    found = [(point["step"], point[part][objective]) for point in curve if point[part]]
    return [step for step, _ in found], [loss for _, loss in found]


def card(name: str, trained: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    :param name: What the adapter is called.
    :param trained: What training.json holds.
    :return: The page.
    """
    about, recipe = trained["about"], trained["recipe"]
    sections = {
        "Data": _data(about),
        "Recipe": _recipe(recipe, about),
        "Held-out pairs": _held_out(trained["check"]),
        "Curve": "![loss by step](curve.svg)\n\n" + _losses(about["curve"]),
        "Limits": _limits(recipe),
    }
    return _head(name, about["base"]) + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())


def _head(name: str, base: Mapping[str, Any]) -> str:
    adapters = "".join(f" --adapter path/to/{each}" for each in (*base["adapters"], name))
    return f"""# {name}

A LoRA adapter in PEFT's form for `{base["weights"]}` ({base["name"]}), trained by sparseembed: its embeddings, decoded
with the backbone's LM head, rank the words that a text should be found by.

    sparseembed index DATASET --embedder {base["embedder"]}{adapters}
"""


def _data(about: Mapping[str, Any]) -> str:
    rows = [
        (_cell(each["name"]), f"{each['pairs']:,}", _cell(each["licence"] or _UNKNOWN)) for each in about["sources"]
    ]
    table = _table(("source", "pairs", "licence"), ("---", "---:", "---"), rows)
    return f"{about['data']}; {about['held_out']} pairs held out.\n\n{table}"


def _recipe(recipe: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    table = _table(("choice", "value"), ("---", "---"), [(key, _shown(value)) for key, value in recipe.items()])
    prompts = about["prompts"]
    versions = ", ".join(f"{package} {version}" for package, version in sorted(about["versions"].items()))
    asked = f"Document prompt: `{prompts['document']}`, query prompt: `{prompts['query']}`."
    return f"{table}\n\n{asked}\nSoftware: {versions}."


def _held_out(check: Mapping[str, Any]) -> str:
    verdict = (
        "It helped: the interval of the mean lies above 0."
        if check["helped"]
        else "**It did not help beyond doubt: use the embedder without it.**"
    )
    rows = [
        (
            kind,
            f"{gain['before']:.3f}",
            f"{gain['after']:.3f}",
            f"{gain['after'] - gain['before']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]",
        )
        for kind, gain in check["mrr"].items()
    ]
    table = _table(("search", "before", "after", "difference"), ("---", "---:", "---:", "---"), rows)
    return f"""\
Mean reciprocal rank of each query's own text among {check["queries"]}, with 95% intervals of the difference by paired
bootstrap. {verdict}

{table}"""


def _losses(curve: Sequence[Mapping[str, Any]]) -> str:
    rows = [(str(point["step"]), _told(point["loss"]), _told(point["validation"] or {})) for point in curve]
    return _table(("step", "training loss", "held-out loss"), ("---:", "---", "---"), rows)


def _limits(recipe: Mapping[str, Any]) -> str:
    return f"""\
Trained on short texts (queries cut at {recipe["query_length"]}, documents at {recipe["document_length"]} tokens, prompt
included). What the base model lacks, in languages and in knowledge, the adapter does not add. The held-out pairs are of
the same kind as the training's: they tell whether training worked, not how good retrieval is on your queries."""


def _table(heads: Sequence[str], rules: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows))


def _cell(text: str) -> str:
    """Return a text as it may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def _told(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()) or "-"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
