"""Where the embeddings of an index's documents are kept, as its manifest names them."""

from sparseembed.embedders.store import EmbeddingStore
from sparseembed.files import cache_folder, inside
from sparseembed.indexing.passages import PassagedStore

_CACHE = "embeddings"


def store_names(store: PassagedStore) -> list[str]:
    """Name stores for a manifest: by their places below the user's cache; one that is elsewhere has no name."""
    cache = cache_folder(_CACHE).resolve()
    folders = [each.folder.resolve() for each in (store, store.rest) if each is not None]
    return [str(folder.relative_to(cache)) for folder in folders if folder.is_relative_to(cache)]


def open_store(name: str) -> EmbeddingStore:
    """Open a store that a manifest names.

    :param name: Its name.
    :raises IndexFolderError: The manifest names what is not in the user's cache: an index from somebody else could
        have any file read.
    :raises DataError: There is no store, or a damaged one.
    """
    return EmbeddingStore(inside(cache_folder(_CACHE), name))
