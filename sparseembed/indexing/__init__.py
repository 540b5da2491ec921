"""From a corpus to an index on disk: encode once, then sparsify and index as often as wanted."""
