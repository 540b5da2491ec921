"""Training: LoRA on an embedder, from text pairs or from a corpus alone."""
