"""Kill commands at random moments: is the index a commit whole, and does the same command end as if undisturbed?

    python benchmarks/crash.py --kills 50

Each command that writes is run once undisturbed, and then again and again, each time on a fresh copy of what it begins
with, and killed (SIGKILL) at a moment drawn over the time that it takes. After each kill the folder is looked at: it
must be the old commit or the new one, whole, and answer searches. Then the same command is run to its end, and the
result is compared with the undisturbed one: files by checksum, hits of the native and the Lucene engine, texts,
leftovers.

Commands run in forks of one process that has all modules loaded but Java, so that the moments fall into the work and
not into the imports. The embedder is a model of random weights that the script makes.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from script import RESULTS, called, publish, status

from sparseembed.cli import main
from sparseembed.errors import SparseEmbedError
from sparseembed.progress import SilentReporter, set_reporter

WORDS = (
    *("cat", "dog", "whale", "river", "water", "sand", "light", "sun", "earth", "green", "plant", "sugar", "milk"),
    *("air", "fish", "books", "mountain", "harbour", "winter", "music", "stone", "bread", "horse", "paper", "glass"),
)
QUERIES = ("cat", "whale river sand", "milk zorblax", " ".join(WORDS))


class Operation(NamedTuple):
    """A command, and the commands that make what it begins with; `{}` stands for the folder of all."""

    name: str
    command: str
    before: tuple[str, ...] = ()
    index: str = "index"


_INDEX = "index {}/old.jsonl --out {}/index --embedder {}/model --dtype float32 -k 24"
_ADD = "add {}/index {}/new.jsonl --embedder {}/model"
_REPLACE = "add {}/index {}/changed.jsonl --replace --embedder {}/model"
_DELETE = "delete {}/index d3 d5 d7 d11"
_PART = "index {}/old.jsonl --out {}/part%d --embedder {}/model --dtype float32 -k 24 --shard %d/2"
OPERATIONS = (
    Operation("encode", "encode {}/old.jsonl --embedder {}/model --dtype float32", index="none"),
    Operation("index", _INDEX),
    Operation("index, encoded before", _INDEX, ("encode {}/old.jsonl --embedder {}/model --dtype float32",)),
    Operation("index --overwrite", _INDEX.replace("old", "changed") + " --overwrite", (_INDEX,)),
    Operation("add", _ADD, (_INDEX,)),
    Operation("add --replace", _REPLACE, (_INDEX, _ADD)),
    Operation("delete", _DELETE, (_INDEX, _ADD)),
    Operation("compact", "compact {}/index", (_INDEX, _ADD, _REPLACE, _DELETE)),
    Operation("compact --refit", "compact {}/index --refit --embedder {}/model", (_INDEX, _ADD, _REPLACE, _DELETE)),
    Operation(
        "merge",
        "merge {}/part1 {}/part2 --out {}/index",
        (_PART % (1, 1), _PART % (2, 2) + " --statistics {}/part1"),
    ),
)


class Undisturbed(NamedTuple):
    """What a command begins with, how long it takes, and what it leaves."""

    seconds: float
    before: Any
    after: Any


def run(options: argparse.Namespace) -> int:
    """Kill commands and report."""
    import torch
    import transformers  # noqa: F401 - loaded once, for all forks

    from sparseembed.indexing import build, update  # noqa: F401

    torch.set_num_threads(1)
    set_reporter(SilentReporter())
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="crash-", dir=options.folder) as name:
        work = Path(name)
        _make_inputs(work / "inputs", options.documents)
        wanted: dict[str, Undisturbed] = {}
        rows = {each.name: dict.fromkeys(("kills", "in the midst", "old", "new", "equal"), 0) for each in OPERATIONS}
        failures: list[str] = []
        for number in range(options.kills):
            operation = OPERATIONS[number % len(OPERATIONS)]
            if operation.name not in wanted:
                wanted[operation.name] = _undisturbed(operation, work)
            moment = chance.uniform(0, wanted[operation.name].seconds)
            row = rows[operation.name]
            row["kills"] += 1
            try:
                killed, seen = _kill(operation, work, wanted[operation.name], moment)
                row["in the midst"] += killed
                row["equal"] += 1
                if seen:
                    row[seen] += 1
            except AssertionError as error:
                failures.append(f"{operation.name} at {moment:.3f} s: {error}")
                sys.stderr.write(failures[-1] + "\n")
    _report(rows, wanted, failures, options)
    return 1 if failures else 0


def _undisturbed(operation: Operation, work: Path) -> Undisturbed:
    base = work / operation.name
    shutil.copytree(work / "inputs", base)
    for command in operation.before:
        ended = _command(command, base)
        assert ended == 0, f"{command} ended with {ended}"
    shutil.copytree(base, work / "now")
    before = _look(work / "now", operation)
    begun = time.perf_counter()
    ended = _command(operation.command, work / "now")
    seconds = time.perf_counter() - begun
    assert ended == 0, f"{operation.command} ended with {ended}"
    after = _look(work / "now", operation)
    shutil.rmtree(work / "now")
    return Undisturbed(seconds, before, after)


def _kill(operation: Operation, work: Path, wanted: Undisturbed, moment: float) -> tuple[bool, str]:
    """Kill a command, look, run it again, and look again; give whether it was running, and which commit was seen."""
    now = work / "now"
    shutil.copytree(work / operation.name, now)
    try:
        child = _begin(lambda: _run(operation.command, now))
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        found = _look(now, operation)
        seen = ""
        if found is not None and operation.index != "none":
            seen = "old" if _same(found, wanted.before) else "new" if _same(found, wanted.after) else ""
            assert seen, "the index is neither the old commit nor the new one"
        ended = _command(operation.command, now)
        assert ended == 0 or (seen == "new" and ended == 2), f"the same command ended with {ended}"
        left = _look(now, operation)
        assert left is not None, "there is nothing after the same command"
        assert _same(left, wanted.after), "the result is another than that of an undisturbed run"
        assert not left["left over"], f"left over: {left['left over']}"
        return killed, seen
    finally:
        shutil.rmtree(now)


def _same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    leave = {"left over"}
    return one is not None and other is not None and all(one[key] == other[key] for key in one.keys() - leave)


def _look(root: Path, operation: Operation) -> dict[str, Any] | None:
    """Say in a process of its own what a folder holds: Java runs there, and must not in the process that forks."""
    told = root.parent / "told.json"
    told.unlink(missing_ok=True)
    ended = _wait(_begin(lambda: _tell(root, operation, told)))
    assert ended == 0, "the folder cannot be read"
    return json.loads(told.read_text()) if told.exists() else None


def _tell(root: Path, operation: Operation, told: Path) -> int:
    os.environ["SPARSEEMBED_CACHE"] = str(root / "cache")
    try:
        found = _stores(root) if operation.index == "none" else _contents(root / operation.index)
    except SparseEmbedError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    if found is not None:
        told.write_text(json.dumps(found))
    return 0


def _contents(index: Path) -> dict[str, Any] | None:
    from sparseembed.index.manifest import FILE, read_manifest
    from sparseembed.index.verify import verify_index
    from sparseembed.retrieval.searcher import Searcher

    if not (index / FILE).exists():
        return None
    manifest = read_manifest(index)
    answers = []
    for engine in ("native", "lucene"):
        with Searcher.open(index, engine=engine) as searcher:
            hits = [searcher.search(query, 100) for query in QUERIES]
            for query, found in zip(QUERIES, hits, strict=True):
                assert all(searcher.explain(query, hit.id).score == hit.score for hit in found)
            answers.append([[[*hit, searcher.text(hit.id)] for hit in found] for found in hits])
    assert answers[0] == answers[1], "the engines disagree"
    folders = [manifest.statistics["folder"], *(each["folder"] for each in manifest.segments)]
    deleted = [each["deleted"]["file"] for each in manifest.segments if each["deleted"]]
    lucene = {entry.name for entry in (index / "lucene").iterdir()} - set(manifest.lucene["files"])
    others = {entry.name for entry in index.iterdir()} - {FILE, "lucene", *folders, *deleted}
    return {
        "problems": verify_index(index),
        "counts": manifest.counts,
        "updates": manifest.updates,
        "statistics": manifest.statistics["files"],
        "segments": [
            [each["files"], each["deleted"] and each["deleted"]["sha256"], each["documents"]]
            for each in manifest.segments
        ],
        "answers": answers[0],
        "left over": sorted(lucene | others),
    }


def _stores(root: Path) -> dict[str, Any] | None:
    """Give the checksums of all stored embeddings, once they are complete."""
    from sparseembed.index.checked import record

    stores = sorted(file.parent for file in (root / "cache").rglob("store.json"))
    files = {str(store.relative_to(root)): record(store) for store in stores}
    return {"files": files, "left over": []} if stores else None


def _command(command: str, root: Path) -> int:
    return _wait(_begin(lambda: _run(command, root)))


def _run(command: str, root: Path) -> int:
    os.environ["SPARSEEMBED_CACHE"] = str(root / "cache")
    return main([*(word.replace("{}", str(root)) for word in command.split()), "--quiet"])


def _begin(work: Callable[[], int]) -> int:
    """Begin something in a fork; give its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    ended = 70
    try:
        ended = work()
    except SystemExit as end:
        ended = int(end.code or 0)
    except BaseException as error:  # what a fork raises would be told by its parent's stack
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        os._exit(ended)


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _make_inputs(folder: Path, documents: int) -> None:
    """Write collections and a model."""
    folder.mkdir()
    chance = random.Random(1)
    texts = {f"d{n}": " ".join(chance.choices(WORDS, k=chance.randint(3, 40))) for n in range(documents)}
    more = {f"n{n}": " ".join(["zorblax", *chance.choices(WORDS, k=9)]) for n in range(documents // 8)}
    changed = {f"d{n}": f"penguin {texts[f'd{n}']}" for n in range(0, documents, 9)} | {"x": "a zorblax"}
    for name, collection in (("old", texts), ("new", more), ("changed", changed)):
        lines = (json.dumps({"id": key, "text": text}) + "\n" for key, text in collection.items())
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    _make_model(folder / "model")


def _make_model(folder: Path) -> None:
    """Write a model of two layers with random weights, and a tokenizer of its own."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    torch.manual_seed(0)
    size = tokenizer.get_vocab_size()
    config = LlamaConfig(
        **{"vocab_size": size, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
        **{"intermediate_size": 64, "max_position_embeddings": 128, "initializer_range": 0.2},
        **{"bos_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": True},
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def _report(
    rows: dict[str, dict[str, int]],
    wanted: dict[str, Undisturbed],
    failures: list[str],
    options: argparse.Namespace,
) -> None:
    heads = ("kills", "in the midst", "old", "new", "equal")
    lines = [
        "# Killed at random moments",
        "",
        f"`{called('crash.py')}`: {options.documents} documents, seed {options.seed}. *In the midst*: the command was",
        "still running. *Old*, *new*: the commit that the folder held after the kill. *Equal*: the same command, run",
        "again, left what an undisturbed run leaves: files by checksum, hits of both engines, texts, and nothing else.",
        "",
        f"| command | seconds | {' | '.join(heads)} |",
        "| --- |" + " ---: |" * (len(heads) + 1),
    ]
    for name, row in rows.items():
        if row["kills"]:
            lines.append(f"| {name} | {wanted[name].seconds:.1f} | {' | '.join(str(row[head]) for head in heads)} |")
    total = {head: sum(row[head] for row in rows.values()) for head in heads}
    lines.append(f"| all | | {' | '.join(str(total[head]) for head in heads)} |")
    lines += ["", *(f"- {failure}" for failure in failures)]
    publish(options.out, "\n".join(lines).rstrip() + "\n", {"rows": rows, "failures": failures, "seed": options.seed})


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=50, help="kills over all commands (default: 50)")
    parser.add_argument("--documents", type=int, default=700, help="documents of the collection (default: 700)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's folder for such files)")
    parser.add_argument("--out", type=Path, default=RESULTS / "crash", help="page and figures, without an ending")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    sys.exit(status("crash", lambda: run(options)))
