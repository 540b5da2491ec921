"""Where the embeddings of an index's documents are kept, as its manifest names them."""

from pathlib import Path

from sparseembed.embedders.store import EmbeddingStore
from sparseembed.errors import IndexFolderError
from sparseembed.files import cache_folder
from sparseembed.index.checked import plain_name

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
    cache = cache_folder(_CACHE)
    parts = [plain_name(part, cache) for part in Path(name).parts]
    folder = cache.joinpath(*parts)
    if not folder.resolve().is_relative_to(cache.resolve()):
        raise IndexFolderError(f"{folder} leads out of {cache}: remove the link")
    return EmbeddingStore(folder)
