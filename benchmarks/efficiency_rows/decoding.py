"""Row 1: decoding and the top K, against dense composed rows; and all that follows the embedding, against encoding."""

import time
from typing import Any

import numpy as np

from efficiency_rows.child import in_child
from efficiency_rows.made import language
from efficiency_rows.measure import Spread, in_turns
from efficiency_rows.row import Row
from efficiency_rows.workplace import Workplace
from sparseembed.alignment.decoding import Aligned, Decoder
from sparseembed.alignment.head import decoding_head
from sparseembed.analyzers.registry import DEFAULT, open_analyzer
from sparseembed.arrays import Vectors
from sparseembed.data.resolve import open_corpus
from sparseembed.data.sampling import even_places
from sparseembed.embedders.load import load_embedder
from sparseembed.progress import track
from sparseembed.sparse.terms import WordSpace
from sparseembed.sparse.vocabulary import Vocabulary

K = 1024
TERMS = (30_000, 100_000, 300_000)
BLOCK_BYTES = 64 << 20
STEPS = 0.03


class DenseDecoder:
    """The plain way: two composed rows a word in one matrix, all scores, the larger of each two, the best K."""

    def __init__(self, words: list[str], tokenizer: Any, matrix: Vectors) -> None:
        """Compose the rows of words, as they stand behind a space and without one, all of one length."""
        import torch

        rows = np.zeros((2 * len(words), matrix.shape[1]), dtype=np.float32)
        spelled = [variant for word in words for variant in (" " + word, word)]
        for start in range(0, len(spelled), 16_384):
            encodings = tokenizer.encode_batch(spelled[start : start + 16_384], add_special_tokens=False)
            for row, encoding in enumerate(encodings, start=start):
                pieces = [piece for piece in encoding.ids if piece < len(matrix)]
                if pieces:
                    rows[row] = matrix[pieces].sum(axis=0)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        self._matrix = torch.from_numpy(rows)
        self.bytes = rows.nbytes

    def top(self, vectors: Vectors, k: int) -> Any:
        """Return the numbers of the k best words, shape (n, k)."""
        import torch

        found, block = [], max(1, BLOCK_BYTES // (4 * len(self._matrix)))
        with torch.inference_mode():
            for start in range(0, len(vectors), block):
                scores = torch.from_numpy(vectors[start : start + block]) @ self._matrix.T
                best = scores.view(len(scores), -1, 2).amax(dim=2)
                found.append(torch.topk(best, min(k, best.shape[1]), dim=1).indices.numpy())
        return np.concatenate(found)


def measure_decoding(place: Workplace) -> list[Row]:
    """Measure decoding onto vocabularies of several sizes."""
    embedder = load_embedder(place.embedder)
    matrix, tokenizer = decoding_head(embedder).matrix, embedder.tokenizer
    sizes = (500, 2000) if place.quick else TERMS
    documents = 8 if place.quick else 64
    vectors = np.random.default_rng(1).standard_normal((documents, matrix.shape[1]), dtype=np.float32)
    rows = []
    with track("decoding", len(sizes), "sizes of vocabulary") as bar:
        for size in sizes:
            words = [language().word(rank) for rank in range(size)]
            space = WordSpace.of(Vocabulary(words, words), open_analyzer(DEFAULT))
            start = time.perf_counter()
            ours = Decoder(space.rows(matrix, tokenizer), "cpu")
            preparing = time.perf_counter() - start
            dense = DenseDecoder(words, tokenizer, matrix)
            took = in_turns({"ours": lambda d=ours: d.top(vectors, K), "dense": lambda d=dense: d.top(vectors, K)},
                            place.repeats)  # fmt: skip
            same = _same(ours.top(vectors, K), dense.top(vectors, K))
            rows.append(
                Row(
                    "decode", f"decode + top {K:,}, T = {size:,}",
                    took["ours"].cpu.times(1000 / documents), "rows composed densely, 2T x d",
                    took["dense"].cpu.times(1000 / documents), "CPU ms a document",
                    more={
                        "terms": size,
                        "wall_ms": {name: each.wall.times(1000 / documents)._asdict() for name, each in took.items()},
                        "same_in_top_k": same,
                        "preparing_s": preparing,
                        "dense_rows_mb": dense.bytes / 1e6,
                    },
                )
            )  # fmt: skip
            del ours, dense
            bar.update(1)
    return rows


def _same(ours: Aligned, dense: Any) -> float:
    pairs = zip(ours.terms.tolist(), dense.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))


def measure_steps(place: Workplace) -> list[Row]:
    """Compare a whole build without encoding with the encoding of its texts, both a document."""
    dataset = str(place.corpus(60)) if place.quick else "pydocs"
    corpus = open_corpus(dataset)
    built = in_child(
        "build",
        corpus=dataset,
        index=str(place.folder / "index-steps"),
        store=str(place.folder / "store-steps"),
        embedder=place.embedder,
    )
    after = {name: cpu / len(corpus) for name, cpu in built["phases_cpu"].items() if name != "encode"}
    embedder = load_embedder(place.embedder)
    count = 8 if place.quick else 96
    texts = [document.contents for document in corpus.take(even_places(len(corpus), count))]
    encoded = in_turns({"encode": lambda: embedder.encode(texts)}, 2 if place.quick else 3)["encode"]
    whole = sum(after.values())
    ours = Spread(whole * 1000, whole * 1000, whole * 1000, 1)
    other = encoded.cpu.times(1000 / len(texts))
    row = Row(
        "steps", f"all steps after the embedding, {len(corpus):,} documents", ours,
        f"encoding {len(texts)} of the same texts", other, "CPU ms a document", f"at most {STEPS}",
        ours.median / other.median <= STEPS,
        {"steps_ms": {name: 1000 * cpu for name, cpu in after.items()},
         "wall_ms": 1000 * (built["seconds"] - built["phases"]["encode"]) / len(corpus),
         "encoding_wall_ms": encoded.wall.median * 1000 / len(texts)},
    )  # fmt: skip
    return [row]
