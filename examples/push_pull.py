"""Copy an index to a place elsewhere and back, and search the copy: python examples/push_pull.py INDEX URL QUERY.

INDEX may also be the folder that holds all parts of an index. Without s3fs or gcsfs, a URL such as file:///elsewhere
will do.
"""

import sys
import tempfile
from pathlib import Path

from sparseembed import Searcher
from sparseembed.errors import SparseEmbedError
from sparseembed.sharing.pull import pull
from sparseembed.sharing.push import push


def main(index: str, url: str, query: str) -> None:
    """Push, pull, and search both."""
    push(index, url)
    with tempfile.TemporaryDirectory() as folder:
        pull(url, Path(folder) / "copy")
        with Searcher.open(index) as here, Searcher.open(Path(folder) / "copy") as there:
            hits = there.search(query, k=5)
            assert hits == here.search(query, k=5)
    for hit in hits:
        print(hit.rank, hit.score, hit.id)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except SparseEmbedError as error:
        sys.exit(f"error: {error}")
