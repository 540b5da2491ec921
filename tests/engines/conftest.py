"""Small indexes for the tests of the engines."""

import pytest


@pytest.fixture
def impact_index(tmp_path):
    """Write an impact index of `{id: vector}` and give its folder."""
    from sparseembed.index.lucene_writer import ImpactIndexWriter

    def write(documents, name="lucene"):
        folder = tmp_path / name
        with ImpactIndexWriter(folder) as writer:
            for doc_id in documents:
                writer.add(doc_id, documents[doc_id])
        return folder

    return write
