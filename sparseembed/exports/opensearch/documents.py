"""Documents as lines of a bulk body: an action that creates, and the document."""

import hashlib
import json
from typing import Any

from sparseembed.exports.opensearch.forms import FIELD, Form, Space
from sparseembed.exports.sink import Exported

LONGEST_ID = 512
"""Bytes of an `_id` that the engines take."""

_HASHED = "sha256:"


def id_of(doc_id: str) -> str:
    """Return the `_id` of a document: its own id, or a digest of one that is too long. The field `id` holds the id.

    :param doc_id: The document's id.
    """
    data = doc_id.encode()
    if len(data) <= LONGEST_ID and not doc_id.startswith(_HASHED):
        return doc_id
    return _HASHED + hashlib.sha256(data).hexdigest()


def source_of(form: Form, space: Space, document: Exported) -> dict[str, Any]:
    """Return a document as the engine is given it.

    :param form: The form of its impacts.
    :param space: The index's terms.
    :param document: The document.
    :raises DataError: A term cannot be written in that form.
    """
    source: dict[str, Any] = {"id": document.id, FIELD: form.written(space, document.impacts)}
    if document.text:
        source["text"] = document.text
    if document.metadata:
        source["metadata"] = dict(document.metadata)
    return source


def lines_of(form: Form, space: Space, document: Exported) -> bytes:
    """Return a document's two lines of a bulk body; creating one that is there already does nothing."""
    action = {"create": {"_id": id_of(document.id)}}
    return b"".join(
        json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for each in (action, source_of(form, space, document))
    )
