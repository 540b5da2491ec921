"""Encoders with an MLM head, which decodes their embeddings: its transform, then its matrix and bias.

PromptBERT and DPR are those that the paper finds to align; a plain BERT and SimCSE are the counter-examples.
"""

from sparseembed.embedders.catalogue.preset import Preset
from sparseembed.embedders.spec import TEXT, EmbedderSpec

BERT = "google-bert/bert-base-uncased"
MPNET = "microsoft/mpnet-base"
PROMPTBERT_CODE = "https://github.com/kongds/Prompt-BERT (README, eval_only.sh, run.sh, evaluation.py)"
SIMCSE_CODE = "https://github.com/princeton-nlp/SimCSE (README, setup.py, run_unsup_example.sh)"
PROMPT = f'This sentence of "{TEXT}" means[MASK].'
RAW_PROMPT = f'This sentence : "{TEXT}" means[MASK].'
MASK = "token:-3"  # before the full stop and [SEP]
CLS = "token:0"
_BERT_LICENCE = "Apache-2.0"
_MPNET_LICENCE = "none named"
_PROMPT_NOTE = "The authors also end a sentence in a full stop. They cut texts at 32 tokens in training."


def _encoder(name: str, weights: str, pooling: str, decoding: str | None, prompt: str = TEXT) -> EmbedderSpec:
    return EmbedderSpec(
        name,
        weights,
        document_prompt=prompt,
        query_prompt=prompt,
        pooling=pooling,
        attention="bidirectional",
        max_length=512,
        decoding=decoding,
    )


def _promptbert(kind: str, note: str) -> Preset:
    weights = f"royokong/{kind}-PromptBERT"
    return Preset(
        _encoder(f"promptbert-{kind}", weights, MASK, BERT, PROMPT),
        group="encoder",
        source=PROMPTBERT_CODE,
        licence=f"not known; {_BERT_LICENCE} (backbone)",
        verified=True,
        note=f"{note} {_PROMPT_NOTE}",
    )


def _dpr(side: str, weights: str) -> Preset:
    return Preset(
        _encoder(f"dpr-{side}-nq", weights, CLS, BERT),
        group="encoder",
        source=f"model card of {weights}; https://github.com/facebookresearch/DPR; modeling_dpr.py of transformers",
        licence=f"CC-BY-NC-4.0, {_BERT_LICENCE} (backbone)",
        verified=True,
        note="One half of a pair: DPR has an encoder of its own for each side, of which an index uses one. Its authors "
        "put [SEP] between a passage's title and text, here they are one text.",
    )


def _simcse(kind: str, note: str) -> Preset:
    return Preset(
        _encoder(f"simcse-{kind}-bert", f"princeton-nlp/{kind}-simcse-bert-base-uncased", CLS, BERT),
        group="encoder",
        source=SIMCSE_CODE,
        licence=f"MIT (its code), {_BERT_LICENCE} (backbone)",
        verified=True,
        note=note,
    )


def _bert(name: str, pooling: str, note: str, prompt: str = TEXT, source: str = f"model card of {BERT}") -> Preset:
    spec = _encoder(f"bert-base-{name}", BERT, pooling, None, prompt)
    return Preset(spec, group="encoder", source=source, licence=_BERT_LICENCE, verified=True, note=note)


_MPNET = Preset(
    _encoder("mpnet-base-mean", MPNET, "mean", None),
    group="encoder",
    source="https://github.com/microsoft/MPNet (README); modeling_mpnet.py of transformers",
    licence=_MPNET_LICENCE,
    verified=False,
    note="The raw backbone. Not verified: it has no model card, and a licence was not found.",
)
_ALL_MPNET = Preset(
    _encoder("all-mpnet-base-v2", "sentence-transformers/all-mpnet-base-v2", "mean", MPNET).with_changes(
        max_length=384
    ),
    group="encoder",
    source="model card of sentence-transformers/all-mpnet-base-v2",
    licence=f"Apache-2.0, {_MPNET_LICENCE} (backbone)",
    verified=True,
    note="Its authors normalise the embedding; here it keeps its length, which the MLM head's transform is made for.",
)

ENCODERS: tuple[Preset, ...] = (
    _promptbert(
        "unsup",
        "The embedding is the state of [MASK], as by its authors after unsupervised training.",
    ),
    _promptbert(
        "sup",
        "The embedding is the state of [MASK]. Its authors go on with the MLM head's transform, trained along, and "
        "subtract what the prompt alone gives there; here the backbone's own transform comes when it is decoded.",
    ),
    _dpr("context", "facebook/dpr-ctx_encoder-single-nq-base"),
    _dpr("question", "facebook/dpr-question_encoder-single-nq-base"),
    _MPNET,
    _ALL_MPNET,
    _bert("mean", "mean", "The raw backbone: the counter-example."),
    _bert("cls", CLS, "The raw backbone, its [CLS] token: the counter-example."),
    _bert(
        "prompt",
        MASK,
        f"The raw backbone with PromptBERT's prompt: what comes before its training. {_PROMPT_NOTE}",
        RAW_PROMPT,
        PROMPTBERT_CODE,
    ),
    _simcse("unsup", "[CLS] before the pooler, as by its authors (cls_before_pooler). They cut texts at 32 tokens."),
    _simcse(
        "sup",
        "[CLS] before the pooler. Its authors go on with the pooler (a dense layer and tanh), which is left out here, "
        "since it leads away from the vocabulary.",
    ),
)
