"""Raw backbones of the paper's embedders, each with three poolings: what embedders are compared with."""

from sparseembed.embedders.catalogue.preset import Preset
from sparseembed.embedders.spec import EmbedderSpec

POOLINGS = ("mean", "weighted-mean", "last")
GPT_NEO = "EleutherAI/gpt-neo-1.3B"
OPT = "facebook/opt-1.3b"
LLAMA = "huggyllama/llama-7b"
LLAMA_REVISION = "4782ad278652c7c71b72204d462d6d01eaaf7549"
MISTRAL = "mistralai/Mistral-7B-v0.1"
OPT_LICENCE = "OPT-175B licence (non-commercial)"
LLAMA_LICENCE = "LLaMA licence (non-commercial)"
LLAMA_NOTE = "Meta gives the weights on request; this copy of them is named since the authors name none that is public."


def _poolings(
    name: str, weights: str, source: str, licence: str, note: str = "", revision: str | None = None
) -> tuple[Preset, ...]:
    return tuple(
        Preset(
            EmbedderSpec(f"{name}-{pooling}", weights, revision, pooling=pooling),
            group="backbone",
            source=source,
            licence=licence,
            verified=True,
            note=note,
        )
        for pooling in POOLINGS
    )


BACKBONES: tuple[Preset, ...] = (
    *_poolings("gpt-neo-1.3b", GPT_NEO, f"model card of {GPT_NEO}; code of arXiv 2406.17378", "MIT"),
    *_poolings("opt-1.3b", OPT, f"model card of {OPT}; code of arXiv 2406.17378", OPT_LICENCE),
    *_poolings("llama-7b", LLAMA, f"model card of {LLAMA}", LLAMA_LICENCE, LLAMA_NOTE, LLAMA_REVISION),
    *_poolings(
        "mistral-7b",
        MISTRAL,
        "code of arXiv 2402.09906 (GritLM) and of arXiv 2406.17378",
        "Apache-2.0",
        "GritLM's and e5-mistral's backbone. The code of arXiv 2406.17378 takes Mistral-7B-Instruct-v0.2 for the raw "
        "Mistral, the backbone of its LLM2Vec.",
    ),
)
