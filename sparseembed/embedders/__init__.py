"""Text to dense embedding: presets over a few orthogonal parts, and the store that keeps what was encoded."""
