"""Why some parts are ours where a library has them too: sentences, near-duplicates, words of commands, locks, bars.

Each row prints what ours and the library do with the same input, and the seconds of the processor. The libraries
are not among the dependencies: pip install pysbd==0.3.4 syntok==1.4.4 blingfire==0.1.8 datasketch==2.0.0 click cyclopts
"""

import argparse
import base64
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

GOLD = (
    ("abbreviation", " ", ["Dr. Smith met Mrs. Jones.", "They spoke."]),
    ("abbreviation", " ", ["See Fig. 3 for details.", "It shows a rise."]),
    ("abbreviation", " ", ["Cells (e.g. neurons) die.", "Others live."]),
    ("abbreviation", " ", ["As Lee et al. showed, it works.", "We agree."]),
    ("abbreviation", " ", ["It came from the U.S. army.", "It was old."]),
    ("abbreviation", " ", ["J. K. Rowling wrote it.", "It sold well."]),
    ("abbreviation", " ", ["Prices rose approx. 5 per cent.", "Nobody knew why."]),
    ("decimal", " ", ["The dose was 3.5 mg.", "It rose to .5 g."]),
    ("decimal", " ", ["Version 2.0.1 is out.", "Upgrade now."]),
    ("decimal", " ", ["It costs $1.50.", "That is cheap."]),
    ("quote", " ", ['He said "Stop."', "She went on."]),
    ("quote", " ", ["(It was late.)", "They slept."]),
    ("quote", " ", ["“Why?”", "Nobody knew."]),
    ("stops", " ", ["Is it so?!", "Yes."]),
    ("stops", " ", ["He waited…", "Nobody came."]),
    ("stops", " ", ["And then ... nothing happened.", "It ended."]),
    ("CJK", "", ["今日は晴れです。", "明日は雨でしょう。"]),
    ("CJK", "", ["他说：“你好。”", "她笑了。"]),
    ("CJK", "", ["「行こう。」", "彼は言った。"]),
    ("CJK", "", ["这是什么？", "我不知道！"]),
    ("German", " ", ["Das ist z. B. ein Haus.", "Es ist alt."]),
    ("German", " ", ["Am 3. Mai kam er.", "Sie ging."]),
    ("French", " ", ["Est-ce vrai ?", "Oui."]),
    ("French", " ", ["M. Dupont arrive.", "Il est tard."]),
    ("Russian", " ", ["Это было в 1990 г.", "Потом всё изменилось."]),
    ("Russian", " ", ["Что это?", "Никто не знал."]),
    ("Hindi", " ", ["यह एक घर है।", "वह पुराना है।"]),
    ("Arabic", " ", ["ما هذا؟", "لا أعرف."]),
    ("Thai", " ", ["นี่คือบ้าน เขาอยู่ที่นี่"]),
    ("code", " ", ["Call os.path.join(a, b).", "It returns a path."]),
    ("code", " ", ["Set x = a.b.c and run foo.py.", "Then look at self.x."]),
    ("code", " ", ["Use print() or sys.stdout.write().", "Both work."]),
    ("no capitals", " ", ["it works.", "we tried it."]),
    ("no capitals", " ", ["does it help?", "it may."]),
)
"""What a text is a case of, what stands between its sentences, and these."""

Split = Callable[[str], Iterable[str]]


def say(*words: object) -> None:
    """Write a line."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def faults(split: Split) -> list[str]:
    """Name the cases of the gold set that a splitter gets wrong."""
    wrong = []
    for case, between, sentences in GOLD:
        found = [" ".join(each.split()) for each in split(between.join(sentences))]
        if [each for each in found if each] != sentences:
            wrong.append(case)
    return wrong


def splitters() -> Iterator[tuple[str, Split]]:
    """Yield ours and those that are installed."""
    from sparseembed.pseudo.sentences import split_sentences

    yield "ours", split_sentences
    for name, made in (("blingfire", _blingfire), ("syntok", _syntok), ("pysbd", _pysbd)):
        try:
            yield name, made()
        except ImportError:
            say(name, "is not installed")


def _blingfire() -> Split:
    from blingfire import text_to_sentences

    return lambda text: text_to_sentences(text).split("\n")


def _syntok() -> Split:
    from syntok import segmenter

    def split(text: str) -> Iterator[str]:
        for paragraph in segmenter.process(text):
            yield from ("".join(token.spacing + token.value for token in sentence) for sentence in paragraph)

    return split


def _pysbd() -> Split:
    from pysbd import Segmenter

    split: Split = Segmenter(language="en", clean=False).segment
    return split


def sentences(size: int) -> None:
    """Compare splitters: the gold set, and the time that long texts of few kinds of characters take."""
    prose = "The cell of Dr. Smith grew 3.5 mm. It was seen. "
    texts = {
        "dots": "." * size,
        "?!": "?!" * (size // 2),
        "CJK": "これは文です。" * (size // 7),
        "base64": base64.b64encode(random.Random(0).randbytes(size * 3 // 4)).decode(),
        "prose": prose * (size // len(prose)),
    }
    for name, split in splitters():
        wrong = faults(split)
        say(f"{name}: {len(GOLD) - len(wrong)} of {len(GOLD)} right; wrong:", ", ".join(wrong))
        for kind, text in texts.items():
            # A longer one only where a shorter one was quick: some take the square of the length.
            for part in (text[: size // 16], text[: size // 4], text):
                start = process_time()
                count = sum(1 for _ in split(part))
                took = process_time() - start
                say(f"  {kind}, {len(part):,} characters: {count:,} sentences, {took:.2f} s")
                if took > 5:
                    break


def duplicates(folders: list[Path]) -> None:
    """Compare groups of near-duplicates with datasketch's MinHash LSH, whose pairs are verified as ours are."""
    import numpy as np
    from datasketch import MinHash, MinHashLSH
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from sparseembed.pseudo.duplicates import NEAR, near_groups
    from sparseembed.pseudo.folding import WordTable

    for folder in folders:
        rows = map(json.loads, (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines())
        table = WordTable.of(f"{row.get('title', '')} {row['text']}" for row in rows)
        count = len(table)
        start = process_time()
        ours = _together(near_groups(table))
        took = process_time() - start
        start = process_time()
        words = [np.unique(table.text(number)) for number in range(count)]
        index, hashes = MinHashLSH(threshold=NEAR, num_perm=128), []
        for number, each in enumerate(words):
            hashes.append(MinHash(num_perm=128, seed=1))
            hashes[-1].update_batch([int(word).to_bytes(4, "little") for word in each])
            index.insert(number, hashes[-1])
        near = {(one, other) for one in range(count) for other in index.query(hashes[one]) if one < other}
        its_time = process_time() - start
        frequency = np.bincount(np.concatenate(words), minlength=len(table.vocabulary))
        idf = np.log1p(count / np.maximum(frequency, 1))
        links = []
        for one, other in near:
            both = idf[np.intersect1d(words[one], words[other])].sum()
            if both >= NEAR * (idf[words[one]].sum() + idf[words[other]].sum() - both) - 1e-9:
                links.append((one, other))
        left, right = np.array(links, dtype=int).reshape(-1, 2).T
        graph = coo_array((np.ones(len(links)), (left, right)), shape=(count, count))
        theirs = _together(connected_components(graph, directed=False)[1])
        say(
            f"{folder.name}: ours {len(ours)} pairs in {took:.1f} s; datasketch {len(theirs)} pairs in {its_time:.1f} s"
        )
        say(f"  {len(ours - theirs)} of ours are not found, {len(theirs - ours)} others are")


def _together(groups: Any) -> set[tuple[int, int]]:
    members: dict[int, list[int]] = {}
    for number, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(number)
    return {(one, other) for each in members.values() for at, one in enumerate(each) for other in each[at + 1 :]}


def words() -> None:
    """Give parsers queries that begin with a dash, and a home that the shell has left alone."""
    import click
    import cyclopts

    from sparseembed.cli import parser_of

    command = click.Command(
        "search",
        params=[click.Argument(["index"]), click.Argument(["query"]), click.Option(["--run"], type=click.Path())],
        callback=lambda **found: (found["query"], found["run"]),
    )
    app = cyclopts.App(result_action="return_value")

    @app.default
    def search(index: str, query: str, /, *, run: Path | None = None) -> tuple[str, str]:
        return query, str(run)

    def ours(given: list[str]) -> tuple[str, str]:
        found = parser_of(("search",)).parse_args(["search", *given])
        return found.query, found.run_file

    ways = {
        "ours": ours,
        "click": lambda given: command(given, standalone_mode=False),
        "cyclopts": lambda given: app(given, exit_on_error=False, print_error=False),
    }
    for given in (["i", "-5"], ["i", "-v and the like"], ["i", "fox", "--run=~/x"]):
        for name, way in ways.items():
            try:
                say(given, name, way(given))
            except (click.ClickException, cyclopts.CycloptsError) as error:
                say(given, name, type(error).__name__)


def locks() -> None:
    """Lock a folder, and one on which nothing can be written, with filelock."""
    from filelock import FileLock

    from sparseembed.lock import writer_lock

    with tempfile.TemporaryDirectory() as name:
        try:
            FileLock(name, timeout=0).acquire()
        except OSError as error:
            say("filelock:", error)
        with writer_lock(Path(name), "a try"):
            say("ours: locked")


def terminal() -> None:
    """Show work of ten steps where the output is no terminal, and a table of nine columns in 80 of a terminal's."""
    import io

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table
    from tqdm import tqdm

    from sparseembed.evaluation.table import RESULT_COLUMNS, format_table
    from sparseembed.progress import ConsoleReporter, set_reporter, track

    streams = {name: io.StringIO() for name in ("ours", "tqdm", "rich")}
    set_reporter(ConsoleReporter(streams["ours"], every=0))
    with track("encoding", 10, "texts") as bar:
        for _ in range(10):
            bar.update(1)
    for _ in tqdm(range(10), file=streams["tqdm"], mininterval=0):
        pass
    with Progress(console=Console(file=streams["rich"])) as shown:
        task = shown.add_task("encoding", total=10)
        for _ in range(10):
            shown.advance(task)
    for name, stream in streams.items():
        said = stream.getvalue()
        say(f"{name}: {said.count(chr(10))} ends of lines, {said.count(chr(13))} carriage returns")
    row = {"system": "one-index", "variant": "word+folded+pieces", "query_encode_ms": 12.3, "search_ms": 4.56}
    row |= {"index_bytes": 12_345_678, "query_model_calls": 0, "measures": {"nDCG@10": 0.7, "R@100": 0.9, "RR@10": 0.6}}
    say(format_table([row]))
    table = Table(*(column.title for column in RESULT_COLUMNS))
    table.add_row("one-index", "word+folded+pieces", "0.7000", "0.9000", "0.6000", "12.3", "4.56", "12.3 MB", "0")
    Console(width=80).print(table)


def tests() -> None:
    """Time the randomisation test, beside scipy's with the mean as its statistic."""
    import numpy as np
    from scipy.stats import permutation_test

    from sparseembed.evaluation.significance import sign_flip_test

    cancels = np.array([0.6, 0.8, -0.9, 0.3, -0.8])
    theirs = permutation_test((cancels,), np.mean, permutation_type="samples").pvalue
    say(f"{cancels}: {sign_flip_test(cancels)}; {theirs}")
    for count in (300, 1_406):
        given = np.random.default_rng(1).normal(0.01, 0.3, count)
        start = process_time()
        ours = sign_flip_test(given)
        middle = process_time()
        theirs = permutation_test(
            (given,), np.mean, permutation_type="samples", n_resamples=100_000, batch=1_000, rng=1
        ).pvalue
        say(f"{count} queries: {ours:.4f} in {middle - start:.2f} s; {theirs:.4f} in {process_time() - middle:.2f} s")


def main() -> None:
    """Run the rows that are named."""
    others = {"words": words, "locks": locks, "terminal": terminal, "tests": tests}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=("sentences", "duplicates", *others))
    parser.add_argument("folders", nargs="*", type=Path, help="BEIR folders, for duplicates")
    parser.add_argument("--size", type=int, default=1_000_000, help="characters of a long text (default: %(default)s)")
    options = parser.parse_args()
    if options.row == "sentences":
        sentences(options.size)
    elif options.row == "duplicates":
        duplicates(options.folders)
    else:
        others[options.row]()


if __name__ == "__main__":
    main()
