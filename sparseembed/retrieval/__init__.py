"""What stands beside the sparse index: dense retrieval by the same embeddings, and fusions of runs."""
