"""The eight embedders of "A Text is Worth Several Tokens" (arXiv 2406.17378)."""

from sparseembed.embedders.catalogue.backbones import (
    GPT_NEO,
    LLAMA,
    LLAMA_LICENCE,
    LLAMA_NOTE,
    LLAMA_REVISION,
    MISTRAL,
    OPT,
    OPT_LICENCE,
)
from sparseembed.embedders.catalogue.preset import Preset
from sparseembed.embedders.spec import TASK, TEXT, EmbedderSpec

CODE = "code of arXiv 2406.17378"
SGPT_CODE = "https://github.com/Muennighoff/sgpt (README)"
EOL_CODE = "https://github.com/kongds/scaling_sentemb (README, evaluation.py, train_llm.sh)"
LLM2VEC_CODE = "https://github.com/McGill-NLP/llm2vec (README, llm2vec.py)"
WEB_SEARCH = "Given a web search query, retrieve relevant passages that answer the query"
EOL_PROMPT = f'This sentence : "{TEXT}" means in one word:"'
_EOL_NOTE = (
    "The authors also end a sentence in a full stop, also in place of a question mark, and turn its double quotes into "
    "single ones; here the text is left as it is."
)
_MISTRAL_INSTRUCT = "mistralai/Mistral-7B-Instruct-v0.2"


def _eol(name: str, weights: str, revision: str | None = None, adapter: str | None = None) -> EmbedderSpec:
    return EmbedderSpec(
        name,
        weights,
        revision,
        document_prompt=EOL_PROMPT,
        query_prompt=EOL_PROMPT,
        adapters=(adapter,) if adapter else (),
        decoding=weights if adapter else None,
    )


_SGPT_NLI = Preset(
    EmbedderSpec(
        "sgpt-nli",
        "Muennighoff/SGPT-1.3B-weightedmean-nli",
        "72a2b83739fcff05da3190fb49ead86866464bd2",
        pooling="weighted-mean",
        decoding=GPT_NEO,
    ),
    group="paper",
    source=f"{SGPT_CODE}; {CODE}",
    licence="MIT",
    verified=True,
    note="The checkpoint of the paper's code; SGPT-1.3B-weightedmean-nli-bitfit is its successor. Its authors cut "
    "texts at 75 tokens.",
)
_SGPT_MSMARCO = Preset(
    EmbedderSpec(
        "sgpt-msmarco",
        "Muennighoff/SGPT-1.3B-weightedmean-msmarco-specb-bitfit",
        "bac636ea26b5b810eee6be73fe8c8f484ba1c8c4",
        document_prompt="{" + TEXT + "}",
        query_prompt="[" + TEXT + "]",
        pooling="weighted-mean",
        decoding=GPT_NEO,
    ),
    group="paper",
    source=f"{SGPT_CODE}; {CODE}",
    licence="MIT",
    verified=True,
    note="Its authors add the brackets as tokens of their own; here, as in MTEB's code, they are part of the text, and "
    "the last may share a token with the punctuation before it. Its authors cut texts at 300 tokens.",
)
_OPT_EOL = Preset(
    _eol("opt-eol", OPT), group="paper", source=EOL_CODE, licence=OPT_LICENCE, verified=True, note=_EOL_NOTE
)
_OPT_EOL_CSE = Preset(
    _eol("opt-eol-cse", OPT, adapter="royokong/prompteol-opt-1.3b@a0929da478854c6e8548e4fb97c4a85e00113c5c"),
    group="paper",
    source=EOL_CODE,
    licence=f"{OPT_LICENCE}; the adapter names none",
    verified=True,
    note=_EOL_NOTE,
)
_LLAMA_EOL = Preset(
    _eol("llama-eol", LLAMA, LLAMA_REVISION),
    group="paper",
    source=EOL_CODE,
    licence=LLAMA_LICENCE,
    verified=True,
    note=f"{LLAMA_NOTE} {_EOL_NOTE}",
)
_LLAMA_EOL_CSE = Preset(
    _eol("llama-eol-cse", LLAMA, LLAMA_REVISION, "royokong/prompteol-llama-7b"),
    group="paper",
    source=EOL_CODE,
    licence=f"{LLAMA_LICENCE}; the adapter's is not known",
    verified=True,
    note=f"The adapter names decapoda-research/llama-7b-hf, another copy, as its base. {LLAMA_NOTE} {_EOL_NOTE}",
)
_GRITLM = Preset(
    EmbedderSpec(
        "gritlm-7b",
        "GritLM/GritLM-7B",
        "13f00a0e36500c80ce12870ea513846a066004af",
        document_prompt=f"<|embed|>\n{TEXT}",
        query_prompt=f"<|user|>\n{TASK}\n<|embed|>\n{TEXT}",
        task=WEB_SEARCH,
        pooling="mean",
        pool_over="text",
        attention="bidirectional",
        decoding=MISTRAL,
    ),
    group="paper",
    source="https://github.com/ContextualAI/gritlm (README, gritlm.py); MTEB's gritlm_models.py",
    licence="Apache-2.0",
    verified=True,
    note="Decoded with Mistral's matrix, the backbone's; the paper's code takes GritLM's own LM head, which was "
    "trained along (--decoding GritLM/GritLM-7B).",
)
_LLM2VEC = Preset(
    EmbedderSpec(
        "llm2vec-mistral-7b",
        _MISTRAL_INSTRUCT,
        document_prompt=f"[INST] {TEXT} [/INST]",
        query_prompt=f"[INST] {TASK} {TEXT} [/INST]",
        task=WEB_SEARCH + ":",
        pooling="mean",
        pool_over="text",
        attention="bidirectional",
        adapters=(
            "McGill-NLP/LLM2Vec-Mistral-7B-Instruct-v2-mntp",
            "McGill-NLP/LLM2Vec-Mistral-7B-Instruct-v2-mntp-supervised",
        ),
        max_length=512,
        decoding=_MISTRAL_INSTRUCT,
    ),
    group="paper",
    source=f"{LLM2VEC_CODE}; {CODE}",
    licence="MIT (adapters), Apache-2.0 (backbone)",
    verified=True,
    note="[/INST] is pooled along with the text, as by its authors, who cut the text itself at 400 tokens.",
)

PAPER: tuple[Preset, ...] = (
    _SGPT_NLI,
    _SGPT_MSMARCO,
    _OPT_EOL,
    _OPT_EOL_CSE,
    _LLAMA_EOL,
    _LLAMA_EOL_CSE,
    _GRITLM,
    _LLM2VEC,
)
