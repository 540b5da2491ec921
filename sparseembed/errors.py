"""Errors that a user can mend: each message is one line saying what is wrong, where, and what to do."""

import errno


class SparseEmbedError(Exception):
    """Base of every error that the library raises on purpose; the command line prints it and exits with 2.

    The message is one line: what is wrong, where (file and line, document, field), and what to do about it.
    """


class DataError(SparseEmbedError):
    """A collection that cannot be read: a missing file, broken JSON, an id that occurs twice."""


class EmbedderError(SparseEmbedError):
    """An embedder that cannot be found or loaded, or that gives no usable vector."""


class ConfigError(SparseEmbedError):
    """A setting outside its range, or settings that contradict each other."""


class IndexFolderError(SparseEmbedError):
    """An index that is missing, damaged, of another version, or not made by the embedder at hand."""


class TransferError(SparseEmbedError):
    """A place elsewhere that cannot be reached, read or written, or that holds damage or something else."""


class EngineError(SparseEmbedError):
    """The search engine failed: no usable Java, no room on the disk, a document count that is off."""


def no_room(error: BaseException) -> bool:
    """Say whether an error of the system is that a disk, or a user's share of it, is full."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def what_helps(error: BaseException, elsewhere: str = "choose another place") -> str:
    """Say what to do about a place that cannot be written.

    :param error: The system's.
    :param elsewhere: What to do where the place itself is the trouble.
    """
    if no_room(error):
        return "make room and run the same command again, finished work is kept"
    return f"{elsewhere}, or change its permissions"
