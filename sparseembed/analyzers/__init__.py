"""Text to terms: analyzers by name."""
