"""Both demonstrations with an embedder: encode, adjust, read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparseembed.alignment.adjustment import Adjustment, fit_adjustment
from sparseembed.analysis.demonstrations.instructions import follow, instruct
from sparseembed.analysis.demonstrations.lens import Lens
from sparseembed.analysis.demonstrations.relatedness import relate
from sparseembed.analysis.demonstrations.texts import Demonstrations, Instruction, built_in
from sparseembed.arrays import Vectors
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError, EmbedderError
from sparseembed.progress import note, track

KINDS = ("none", "pc1", "centred")
DEFAULT_KIND = "pc1"
FEW = 8  # texts; of fewer, a first component or mean is these texts' own, and the built-in ones join the fit


def check_kind(kind: str) -> None:
    """Check the adjustment of a demonstration.

    :raises ConfigError: It is none of `KINDS`.
    """
    if kind not in KINDS:
        raise ConfigError(f"the adjustment of a demonstration must be one of {', '.join(KINDS)}, not {kind!r}")


def demonstrate(
    embedder: TransformerEmbedder,
    lens: Lens,
    material: Demonstrations | None = None,
    kind: str = DEFAULT_KIND,
    sample: Vectors | None = None,
) -> dict[str, Any]:
    """Make both demonstrations.

    The adjustment of the instructions is one for all of them, fitted on the texts under each instruction: a mean or a
    component of each instruction alone would take away what the instruction does.

    :param embedder: The embedder.
    :param lens: What its embeddings are read through.
    :param material: Instructions, texts and pairs; the built-in ones when None.
    :param kind: `none`, `pc1` or `centred`.
    :param sample: Embeddings by the document prompt, shape (n, d), to fit the pairs' adjustment on; the pairs' own
        when None.
    :return: `adjustment`, `instructions` (see `follow`) and `relatedness` (see `relate`); an entry is None where there
        is no material for it.
    :raises ConfigError: Unknown adjustment, or an instruction that the embedder cannot take.
    :raises EmbedderError: The embedder gives NaN, or a prompt leaves no room for text.
    """
    check_kind(kind)
    chosen = material or built_in()
    total = len(chosen.instructions) * len(chosen.texts) + len(chosen.sentences)
    with track(f"demonstrations by {embedder.spec.name}", total, "texts") as bar:
        followed = related = None
        if chosen.instructions:
            vectors = {}
            for each in chosen.instructions:
                vectors[each.name] = under(embedder, each, chosen.texts, lens)
                bar.update(len(chosen.texts))
            followed = _followed(embedder, lens, chosen, kind, vectors)
        if chosen.pairs:
            dense = embedder.encode(chosen.sentences)
            bar.update(len(chosen.sentences))
            own = lens.inputs(dense)
            fitted_on = "the texts analysed"
            if sample is None:
                sample, fitted_on = widened(own, chosen.sentences, embedder, lens)
            adjusted = fit_adjustment(kind, sample).apply(own)
            related = {"fitted_on": fitted_on, **relate(chosen.pairs, chosen.sentences, dense, adjusted, lens)}
    return {"adjustment": kind, "instructions": followed, "relatedness": related}


def _followed(
    embedder: TransformerEmbedder, lens: Lens, chosen: Demonstrations, kind: str, vectors: dict[str, Vectors]
) -> dict[str, Any]:
    fitted, fitted_on = common_adjustment(embedder, lens, chosen.instructions, [*vectors.values()], kind)
    adjusted = {name: fitted.apply(each) for name, each in vectors.items()}
    literal = [lens.literal(text, embedder.tokenizer) for text in chosen.texts]
    found = follow(chosen.instructions, chosen.texts, adjusted, lens, literal)
    for entry, each in zip(found["instructions"], chosen.instructions, strict=True):
        entry["prompt"] = prompt_under(embedder, each)
    return {"fitted_on": fitted_on, **found}


def under(embedder: TransformerEmbedder, instruction: Instruction, texts: Sequence[str], lens: Lens) -> Vectors:
    """Embed texts under an instruction.

    :return: What is adjusted and decoded, shape (n, d).
    """
    asked, side = instruct(embedder, instruction)
    return lens.inputs(asked.encode(list(texts), side))


def prompt_under(embedder: TransformerEmbedder, instruction: Instruction) -> str:
    """Return the prompt that an instruction gives an embedder."""
    asked, side = instruct(embedder, instruction)
    return asked.spec.prompt(side)


def common_adjustment(
    embedder: TransformerEmbedder,
    lens: Lens,
    instructions: Sequence[Instruction],
    vectors: Sequence[Vectors],
    kind: str,
) -> tuple[Adjustment, str]:
    """Fit the one adjustment of several instructions.

    :param vectors: Embeddings of the texts under each instruction.
    :return: The adjustment, and what it was fitted on.
    """
    if kind == "none":
        return Adjustment("none", np.zeros(0, dtype=np.float32)), "nothing"
    sample = [*vectors]
    fitted_on = "the texts under all instructions"
    if len(sample[0]) < FEW:
        sample += [under(embedder, each, built_in().texts, lens) for each in instructions]
        fitted_on += ", and the built-in ones"
    return fit_adjustment(kind, np.concatenate(sample)), fitted_on


def widened(
    own: Vectors, texts: Sequence[str], embedder: TransformerEmbedder, lens: Lens, side: str = "document"
) -> tuple[Vectors, str]:
    """Add the built-in texts to the few that an adjustment is to be fitted on.

    :param own: Embeddings of the texts, shape (n, d).
    :param texts: The texts.
    :param embedder: The embedder.
    :param lens: What its embeddings are read through.
    :param side: Whose prompt.
    :return: Embeddings to fit on, and what they are of.
    """
    if len(texts) >= FEW:
        return own, "the texts of the pairs"
    more = [*built_in().texts, *built_in().sentences]
    return np.concatenate([own, lens.inputs(embedder.encode(more, side))]), "the two texts and the built-in ones"


def section(embedder: TransformerEmbedder, lens: Lens, sample: Vectors) -> dict[str, Any]:
    """Make the demonstrations of a report, which does without where the embedder cannot take them.

    :param embedder: The embedder.
    :param lens: What its embeddings are read through.
    :param sample: Embeddings of the texts analysed, as they are adjusted.
    :return: As in `demonstrate`; or `left_out`, the reason.
    """
    try:
        return demonstrate(embedder, lens, sample=sample)
    except EmbedderError as error:
        note(f"the demonstrations are left out: {error}")
        return {"left_out": str(error)}
