"""The comparing modes of `sparseembed inspect`: a text under several instructions, and two texts."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparseembed.cli.text import columns, visible
from sparseembed.embedders.spec import TASK, TEXT
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.alignment.adjustment import Adjustment
    from sparseembed.analysis.demonstrations.texts import Instruction

OWN = "own prompt"
SHARES = ("together", "apart")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the comparing modes."""
    group = parser.add_argument_group(
        "adjusting and comparing", "Embeddings are adjusted as the index does with --index, else as --adjustment says."
    )
    group.add_argument(
        "--instruction",
        metavar="T",
        action="append",
        help="show the tokens under an instruction beside those of the embedder's own prompt; a prompt with "
        f"{TEXT}, or what stands for {TASK} where the embedder's prompt has one; again for more",
    )
    group.add_argument(
        "--with",
        metavar="TEXT",
        dest="other",
        help="a second text: the tokens of each, those that bring the two together or hold them apart, both cosines",
    )
    group.add_argument(
        "--adjustment",
        choices=("none", "pc1", "centred"),
        help="what is taken out before decoding, fitted on a few built-in texts and, when comparing, on these "
        "(default: centred, the texts' mean; when comparing pc1)",
    )


def wanted(options: argparse.Namespace) -> bool:
    """Tell whether a comparing mode is asked for.

    :raises ConfigError: Options that contradict each other.
    """
    if options.adjustment and options.index:
        raise ConfigError("choose --adjustment or --index, which brings its own")
    if options.instruction is not None and options.other is not None:
        raise ConfigError("choose --instruction (one text) or --with (two texts)")
    return options.instruction is not None or options.other is not None


def run(options: argparse.Namespace, embedder: TransformerEmbedder, adjustment: "Adjustment | None") -> None:
    """Compare, and print a table or one JSON object.

    :param options: The command's options.
    :param embedder: The embedder.
    :param adjustment: The adjustment of an index, if one was named.
    """
    found = _instructed(options, embedder, adjustment) if options.instruction else _with(options, embedder, adjustment)
    if options.json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    adjusted = f"adjustment {found['adjustment']}"
    if found["adjustment"] != "none":
        adjusted += f", fitted on {found['fitted_on']}"
    told = _told_instructions(found) if options.instruction else told_pair(found)
    sys.stdout.write(f"{told}\n\n* stands in the text; {adjusted}\n")


def _instructed(
    options: argparse.Namespace, embedder: TransformerEmbedder, adjustment: "Adjustment | None"
) -> dict[str, Any]:
    from sparseembed.analysis.demonstrations.demonstrate import DEFAULT_KIND, common_adjustment, prompt_under, under
    from sparseembed.analysis.demonstrations.instructions import instruct
    from sparseembed.analysis.demonstrations.lens import open_lens
    from sparseembed.analysis.demonstrations.texts import Instruction
    from sparseembed.text import clean_text

    text = clean_text(options.text)
    asked = [Instruction(OWN, prompt=embedder.spec.prompt(options.side))]
    asked += [_parsed(each) for each in dict.fromkeys(options.instruction)]
    for each in reversed(asked):
        instruct(embedder, each)  # a mistake is told before anything is encoded
    lens = open_lens(embedder, options.terms)
    vectors = [under(embedder, each, [text], lens) for each in asked]
    if adjustment is None:
        kind = options.adjustment or DEFAULT_KIND
        fitted, fitted_on = common_adjustment(embedder, lens, asked, vectors, kind)
    else:
        fitted, fitted_on = adjustment, f"the collection of {options.index}"
    literal = lens.literal(text, embedder.tokenizer)
    told = []
    for each, vector in zip(asked, vectors, strict=True):
        scores = lens.scores(fitted.apply(vector))[0]
        tokens = lens.tokens(scores, options.k, literal)
        told.append({"instruction": each.name, "prompt": prompt_under(embedder, each), "tokens": tokens})
    return {"text": text, "adjustment": fitted.kind, "fitted_on": fitted_on, "instructions": told}


def _parsed(words: str) -> "Instruction":
    from sparseembed.analysis.demonstrations.texts import Instruction

    if not words.strip():
        raise ConfigError("an --instruction is blank")
    if TEXT not in words:
        return Instruction(words, task=words)
    if words.count(TEXT) > 2:
        raise ConfigError(f"an --instruction must hold {TEXT} once, or twice for an echo, not {words!r}")
    return Instruction(words, prompt=words)


def _with(
    options: argparse.Namespace, embedder: TransformerEmbedder, adjustment: "Adjustment | None"
) -> dict[str, Any]:
    from sparseembed.alignment.adjustment import fit_adjustment
    from sparseembed.analysis.demonstrations.demonstrate import DEFAULT_KIND, widened
    from sparseembed.analysis.demonstrations.lens import open_lens
    from sparseembed.analysis.demonstrations.relatedness import relate_pair
    from sparseembed.text import clean_text

    if not options.other.strip():
        raise ConfigError("the text of --with is blank: there is nothing to compare")
    texts = [clean_text(options.text), clean_text(options.other)]
    lens = open_lens(embedder, options.terms)
    dense = embedder.encode(texts, options.side)
    own = lens.inputs(dense)
    fitted_on = f"the collection of {options.index}"
    if adjustment is None:
        kind = options.adjustment or DEFAULT_KIND
        sample, fitted_on = (own, "nothing") if kind == "none" else widened(own, texts, embedder, lens, options.side)
        adjustment = fit_adjustment(kind, sample)
    first, second = (lens.literal(text, embedder.tokenizer) for text in texts)
    found = relate_pair(dense, adjustment.apply(own), lens, options.k, (first, second))
    return {"texts": texts, "adjustment": adjustment.kind, "fitted_on": fitted_on, **found}


def _told_instructions(found: Mapping[str, Any]) -> str:
    lists = [_marked(each["tokens"]) for each in found["instructions"]]
    rows = [(rank, *tokens) for rank, tokens in enumerate(zip(*lists, strict=True), 1)]
    numbers = range(1, len(found["instructions"]))
    legend = "\n".join(
        f"[{number}] {each['instruction']}" for number, each in zip(numbers, found["instructions"][1:], strict=True)
    )
    table = columns(rows, ("rank", OWN, *(f"[{number}]" for number in numbers)), right=frozenset({0}))
    return f"{legend}\n\n{table}"


def told_pair(found: Mapping[str, Any]) -> str:
    """Lay out two texts that were compared.

    :param found: What `relatedness.compare` returns, and the `texts`.
    :return: Lines, without a last newline.
    """
    first, second = found["texts"]
    lists = [
        _marked(found["first"]),
        _marked(found["second"]),
        *([f"{visible(each['token'])} {1e4 * each['share']:+.1f}" for each in found[key]] for key in SHARES),
    ]
    depth = max(map(len, lists))
    cells = [[*each, *[""] * (depth - len(each))] for each in lists]
    rows = [(rank, *row) for rank, row in enumerate(zip(*cells, strict=True), 1)]
    heads = ("rank", "first", "second", *(f"{key} (1e-4)" for key in SHARES))
    table = columns(rows, heads, right=frozenset({0}))
    return (
        f"first:  {first}\nsecond: {second}\n"
        f"vocabulary cosine {found['vocabulary_cosine']:.3f}, dense cosine {found['dense_cosine']:.3f}\n\n{table}"
    )


def _marked(tokens: Sequence[Mapping[str, Any]]) -> list[str]:
    return [visible(each["token"]) + ("*" if each["literal"] else "") for each in tokens]
