"""Instruction following: texts under several instructions, and how far each moves the tokens toward its words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparseembed.analysis.demonstrations.lens import Lens, standard
from sparseembed.analysis.demonstrations.texts import Instruction
from sparseembed.arrays import Floats, Vectors
from sparseembed.embedders.spec import TASK, TEXT
from sparseembed.embedders.transformer import TransformerEmbedder
from sparseembed.errors import ConfigError
from sparseembed.intervals import bootstrap_means

TOKENS = 10
SCORE = (
    "mean standing of an instruction's own words (z-score of their decoded scores over the vocabulary) under it, minus "
    "that under the other instructions"
)


def instruct(embedder: TransformerEmbedder, instruction: Instruction) -> tuple[TransformerEmbedder, str]:
    """Give an embedder an instruction.

    An embedder whose prompt has `{task}` takes the instruction's task there, on the side of that prompt (documents
    before queries); of any other embedder, and where there is no task, the instruction's prompt replaces the document
    prompt, its pooling stays, as does a mask token that it pools at (see `with_mask`).

    :param embedder: The embedder.
    :param instruction: The instruction.
    :return: The embedder under the instruction, which shares the loaded model, and the side to encode with.
    :raises ConfigError: The instruction fits neither way.
    """
    spec = embedder.spec
    sides = [side for side in ("document", "query") if TASK in getattr(spec, f"{side}_prompt")]
    if instruction.task and sides:
        return embedder.with_prompts(task=instruction.task), sides[0]
    if instruction.prompt:
        prompt = with_mask(instruction.prompt, spec.document_prompt)
        return embedder.with_prompts(document_prompt=prompt), "document"
    raise ConfigError(
        f"the instruction {instruction.task!r} has no {TEXT}, and no prompt of {spec.name} has {TASK} to put it in: "
        f"write it as a prompt around {TEXT}"
    )


def with_mask(prompt: str, document_prompt: str) -> str:
    """Close an instruction's prompt with the mask token where the embedder's own prompt closes with one.

    :param prompt: The instruction's prompt.
    :param document_prompt: The embedder's.
    :return: The prompt; an opening quotation mark at its end gives way to the mask and what is behind it.

    >>> with_mask('"{text}" is about: "', 'The sentence "{text}" means [MASK].')
    '"{text}" is about: [MASK].'
    """
    closing = re.search(r"(\[MASK\]|<mask>)[^{}]*$", document_prompt)
    return prompt if closing is None or closing[1] in prompt else prompt.removesuffix('"') + closing[0]


def standing(scores: Floats, words: Sequence[str], lens: Lens) -> Floats:
    """Return how high words stand in each text's scores: their mean z-score over the vocabulary.

    :param scores: Decoded scores, shape (n, T).
    :param words: Words of the lens, at least one; a word of several terms stands where its best one does.
    :param lens: The terms.
    :return: Shape (n,).
    """
    places = [lens.number[word] for word in words]
    return np.asarray([lens.best(row)[places].mean() for row in standard(scores)])


def moved(standings: Floats, own: int) -> Floats:
    """Return how far an instruction moves each text's tokens toward the instruction's own words.

    :param standings: Standing of its words under each of the instructions, in each text, shape (i, n).
    :param own: The instruction's row; at least one other is needed.
    :return: Standing under the instruction itself minus the mean of that under the others, shape (n,).

    Two texts; the words of instruction 0 stand at 3 and 1 under it, and under two others at 1 and 1, 0 and 2:

    >>> moved(np.array([[3.0, 1.0], [1.0, 1.0], [0.0, 2.0]]), own=0).tolist()
    [2.5, -0.5]
    """
    others = np.delete(standings, own, axis=0)
    result: Floats = standings[own] - others.mean(axis=0)
    return result


def follow(
    instructions: Sequence[Instruction],
    texts: Sequence[str],
    vectors: Mapping[str, Vectors],
    lens: Lens,
    literal: Sequence[set[str]] | None = None,
) -> dict[str, Any]:
    """Score how far an embedder follows instructions, and show the tokens.

    Words that are no single token of the vocabulary are left out and named; an instruction of which none is left has no
    score. The interval is a bootstrap over texts: of few texts, it is too narrow.

    :param instructions: The instructions, at least two.
    :param texts: The texts.
    :param vectors: Name of each instruction -> adjusted embeddings of the texts under it, shape (n, d).
    :param lens: What to read them through.
    :param literal: The words that stand in each text.
    :return: `instructions`, with score, interval and `moved` per text, and `texts` with their tokens by instruction.
    """
    scores = {each.name: lens.scores(vectors[each.name]) for each in instructions}
    there = literal or [set()] * len(texts)
    told = []
    for row, each in enumerate(instructions):
        known = [word for word in each.words if word in lens.number]
        entry: dict[str, Any] = {"name": each.name, "words": known, "missing": sorted({*each.words} - {*known})}
        if known:
            of = np.stack([standing(scores[other.name], known, lens) for other in instructions])
            shift = moved(of, row)
            low, high = bootstrap_means(shift[:, None])
            under = {other.name: float(mean) for other, mean in zip(instructions, of.mean(axis=1), strict=True)}
            ends = {"low": float(low[0]), "high": float(high[0])}
            entry |= {"score": float(shift.mean()), **ends, "moved": shift.tolist(), "standing": under}
        else:
            entry |= {"score": None, "low": None, "high": None, "moved": [], "standing": {}}
        told.append(entry)
    shown: list[dict[str, Any]] = [{"text": text, "tokens": {}} for text in texts]
    for each, entry in zip(instructions, told, strict=True):
        for place, found in enumerate(shown):
            tokens = lens.tokens(scores[each.name][place], TOKENS, there[place])
            found["tokens"][each.name] = [{**token, "own": token["token"] in entry["words"]} for token in tokens]
    return {"score": SCORE, "instructions": told, "texts": shown}
