"""Options that several commands share."""

import argparse
from typing import TYPE_CHECKING, TypedDict

from sparseembed.cli.parser import advanced_group
from sparseembed.errors import ConfigError

if TYPE_CHECKING:
    from sparseembed.data.corpus import Corpus
    from sparseembed.data.fields import Fields
    from sparseembed.embedders.transformer import TransformerEmbedder
    from sparseembed.retrieval.embedder import Named


class Rescoring(TypedDict):
    """How hits are rescored, as `Searcher.open` takes it."""

    rescore: int
    encoder: str | None
    feedback: bool
    budget: float | None


PARTS = (
    "revision",
    "document_prompt",
    "query_prompt",
    "task",
    "pooling",
    "pool_over",
    "attention",
    "adapters",
    "max_length",
    "dtype",
    "device",
    "decoding",
)


def add_embedder_options(parser: argparse.ArgumentParser) -> None:
    """Add --embedder and the parts of an embedder that can be changed."""
    from sparseembed.embedders.presets import DEFAULT
    from sparseembed.embedders.spec import ATTENTIONS, DTYPES, POOL_OVER, TASK, TEXT

    group = parser.add_argument_group("embedder")
    group.add_argument(
        "--embedder",
        metavar="E",
        help="a preset such as smollm2-360m, qwen3-embedding-0.6b or gritlm-7b (`sparseembed embedders` lists them), a "
        "model folder, a GGUF file or a Hugging Face id such as owner/model@revision; any causal LM will do "
        f"(default: {DEFAULT})",
    )
    group.add_argument(
        "--adapter",
        metavar="A",
        action="append",
        dest="adapters",
        help="PEFT adapter of the weights, a folder or owner/model@revision; again for more, merged in this order",
    )
    group.add_argument("--device", help="auto, cpu, cuda, cuda:1, mps (default: auto, a GPU when there is one)")
    group.add_argument("--trust-remote-code", action="store_true", default=None, help="run code that the model brings")
    group = advanced_group(parser, "parts of the embedder")
    group.add_argument("--revision", help="revision of a Hugging Face id")
    group.add_argument("--document-prompt", metavar="T", help=f"prompt of documents, with one {TEXT}, or two (echo)")
    group.add_argument("--query-prompt", metavar="T", help=f"prompt of queries, with one {TEXT}, or two (echo)")
    group.add_argument("--task", metavar="T", help=f"instruction that stands for {TASK} in the prompts")
    group.add_argument("--pooling", help="last, mean, weighted-mean or token:N")
    group.add_argument("--pool-over", choices=POOL_OVER, help="text leaves what stands before the text out of the mean")
    group.add_argument("--attention", choices=ATTENTIONS, help="bidirectional lets a decoder see the whole text")
    group.add_argument("--max-length", type=int, metavar="N", help="tokens of a prompted text (default: 2048)")
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        help="auto is int8 for the default embedder on a CPU made for it, else bfloat16 where the processor has it "
        "(default: auto)",
    )
    group.add_argument("--decoding", metavar="M", help="model whose LM head decodes, if not the embedder's own")


def add_prompts_option(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add --prompts, for the commands that embed documents."""
    from sparseembed.embedders.presets import MORE_PROMPTS
    from sparseembed.embedders.spec import TEXT

    parser.add_argument(
        "--prompts",
        metavar="T",
        action="append",
        help=f"a further prompt of documents, {' or '.join(MORE_PROMPTS)} or a text with {TEXT}; again for more. Each "
        "gives an embedding of its own, of which a term has its best score; where the prompts begin alike, as prompts "
        "that stand after the text do, the text is read once for all (default: none)",
    )


def chosen_embedder(options: argparse.Namespace) -> "TransformerEmbedder":
    """Return the embedder that the options name."""
    from sparseembed.embedders.load import load_embedder
    from sparseembed.embedders.presets import DEFAULT, MORE_PROMPTS, find_spec

    changes = {part: getattr(options, part) for part in PARTS}
    if options.adapters:
        # A preset's own adapters come first: the new ones were trained on top of them.
        own = find_spec(options.embedder or DEFAULT).adapters
        changes["adapters"] = (*own, *options.adapters)
    if getattr(options, "prompts", None):
        changes["more_prompts"] = tuple(MORE_PROMPTS.get(each, each) for each in options.prompts)
    return load_embedder(options.embedder, trust_remote_code=options.trust_remote_code, **changes)


def add_naming_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the embedder of an index: which files are loaded, and whether their code may run."""
    group = parser.add_argument_group(
        "embedder",
        "An index is data and chooses nothing that is loaded, unless a preset made it. Name what it was made with,\n"
        "which is then used as the index says.",
    )
    group.add_argument("--embedder", metavar="E", help="a preset, a model folder, a GGUF file or a Hugging Face id")
    group.add_argument("--adapter", metavar="A", action="append", dest="adapters", help="PEFT adapter; again for more")
    group.add_argument("--decoding", metavar="M", help="model whose LM head decodes, if not the embedder's own")
    group.add_argument("--trust-remote-code", action="store_true", help="run code that the model brings")


def add_corpus_argument(parser: argparse.ArgumentParser, metavar: str = "DATASET", judged: bool = False) -> None:
    """Add the corpus, and --id-field, --text-field and --title-field, which name its documents' fields.

    :param judged: Whether the command needs queries and judgements as well.
    """
    formats = "JSONL, JSON, CSV, TSV, Parquet, Arrow, each perhaps compressed; the content tells which"
    parser.add_argument(
        "dataset",
        metavar=metavar,
        help="a BEIR folder, a collection's name or an ir_datasets id, with judgements"
        if judged
        else f"a file of documents ({formats}), a folder of such files, of plain texts, in BEIR's layout or saved by "
        "datasets, - for standard input, a pipe, a URL that fsspec reads, a collection's name or an ir_datasets id; "
        "what can be read only once is copied to a temporary file (in $TMPDIR)",
    )
    add_field_options(parser)


def add_field_options(parser: argparse.ArgumentParser) -> None:
    """Add --id-field, --text-field and --title-field."""
    group = parser.add_argument_group("fields of a document (numbers of columns where a table has no header)")
    group.add_argument("--id-field", metavar="F", help="field of the id (default: _id or id)")
    group.add_argument(
        "--text-field",
        metavar="F",
        action="append",
        dest="text_fields",
        help="field of the text; again for more, which are joined by line breaks (default: text or contents)",
    )
    group.add_argument(
        "--title-field", metavar="F", help="field of the title (default: title, unless --text-field names it)"
    )


def chosen_fields(options: argparse.Namespace) -> "Fields":
    """Return the fields that the options of `add_field_options` name."""
    from sparseembed.data.fields import Fields

    return Fields(options.id_field, tuple(options.text_fields or ()), options.title_field)


def chosen_corpus(options: argparse.Namespace) -> "Corpus":
    """Open the corpus that the options of `add_corpus_argument` name."""
    from sparseembed.data.resolve import open_corpus

    return open_corpus(options.dataset, chosen_fields(options))


def add_engine_option(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add --engine."""
    parser.add_argument(
        "--engine",
        default="native",
        metavar="E",
        help="native, without Java; lucene; or exact, the reference, which holds all in memory (default: native)",
    )


def add_filter_option(parser: argparse.ArgumentParser) -> None:
    """Add --filter."""
    parser.add_argument(
        "--filter",
        action="append",
        dest="filters",
        metavar="F",
        help="search documents whose metadata meets a condition: FIELD=VALUE, != < <= > >=, a|b for one of several, "
        "2010..2015 for a range, * for whatever value; what holds one of these characters stands in double quotes; "
        "again for more conditions, all of which are to be met",
    )


def add_rescoring_options(parser: argparse.ArgumentParser) -> None:
    """Add --feedback, --encoder, --budget and --rescore."""
    group = parser.add_argument_group(
        "rescoring",
        "The best hits are put in a new order by the embeddings that the index carries: each hit gains where the hits\n"
        "most like it have high scores (feedback, no model), or where it is like the query's own embedding (encoder),\n"
        "which also finds documents that share no word with the query.",
    )
    group.add_argument(
        "--feedback",
        action="store_true",
        help="let the hits most like a hit count for it, by the weight chosen for the collection, which may be none",
    )
    group.add_argument(
        "--encoder",
        metavar="E",
        help="what encodes queries: none; full, the whole embedder; small, its first layers and a map fitted to the "
        "collection (see fit-query-encoder), in a sixth of the time; static, vectors of the query's words and such a "
        "map, without running the model; or auto, the cheapest that the collection's own sentences say is enough, with "
        "feedback (default: full with --rescore, else none)",
    )
    group.add_argument(
        "--budget", type=float, metavar="MS", help="milliseconds that encoding a query may take, for --encoder auto"
    )
    group.add_argument(
        "--rescore",
        type=int,
        default=0,
        metavar="N",
        help="hits that are rescored, and with an encoder nearest documents that join them (default: 100 with an "
        "encoder or --feedback, else none)",
    )


def rescoring_options(options: argparse.Namespace) -> Rescoring:
    """Return what the options of `add_rescoring_options` ask for, as `Searcher.open` takes it."""
    return {
        "rescore": options.rescore,
        "encoder": options.encoder,
        "feedback": options.feedback,
        "budget": options.budget,
    }


def add_language_options(parser: argparse.ArgumentParser) -> None:
    """Add --language and --analyzer."""
    from sparseembed.analyzers.registry import ANALYZERS, DEFAULT

    group = parser.add_argument_group("language")
    group.add_argument(
        "--language",
        metavar="L",
        help="language of the texts, such as de: words are found by Anserini's analyzer for it, and by the analyzer "
        "unicode where there is none; or auto, to find it out from a sample (default: en)",
    )
    group.add_argument(
        "--analyzer", metavar="A", help=f"what finds words, by its name: {', '.join(ANALYZERS)} (default: {DEFAULT})"
    )


def named_embedder(options: argparse.Namespace) -> "Named | None":
    """Return what the options name of an index's embedder; None where they name nothing.

    :param options: With the options of `add_naming_options`, or of `add_embedder_options`.
    """
    own = ("adapters", "decoding")
    changes = {part: getattr(options, part, None) for part in PARTS if part not in own}
    changes = {part: value for part, value in changes.items() if value is not None}
    trusted = bool(options.trust_remote_code)
    if not (changes or trusted or options.embedder or options.adapters or options.decoding):
        return None
    from sparseembed.retrieval.embedder import Named

    return Named(options.embedder, tuple(options.adapters or ()), options.decoding, trusted, changes)


def start_java_quickly(engine: str) -> None:
    """Let Java, where the engine needs it, start for a command that ends soon."""
    if engine == "lucene":
        from sparseembed.java.jvm import expect_short_use

        expect_short_use()


def positive(value: int, name: str) -> int:
    """Return a number that must be at least 1.

    :raises ConfigError: It is less.
    """
    if value < 1:
        raise ConfigError(f"{name} must be at least 1, not {value}")
    return value
