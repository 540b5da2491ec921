"""Does an embedder align with its texts' tokens, and why: metrics, spectrum, verdict, report."""
