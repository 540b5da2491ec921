"""Where the embeddings of an index's documents are kept, as its manifest names them."""

from sparseembed.embedders.store import EmbeddingStore
from sparseembed.files import cache_folder, inside

_CACHE = "embeddings"


def store_names(store: EmbeddingStore) -> list[str]:
    """Name a store for a manifest: by its place below the user's cache; one that is elsewhere has no name."""
    folder, cache = store.folder.resolve(), cache_folder(_CACHE).resolve()
    return [str(folder.relative_to(cache))] if folder.is_relative_to(cache) else []


def open_store(name: str) -> EmbeddingStore:
    """Open a store that a manifest names.

    :param name: Its name.
    :raises IndexFolderError: The manifest names what is not in the user's cache: an index from somebody else could
        have any file read.
    :raises DataError: There is no store, or a damaged one.
    """
    return EmbeddingStore(inside(cache_folder(_CACHE), name))
