"""The paper's two demonstrations: embeddings follow instructions, and show similarity apart from relatedness."""
