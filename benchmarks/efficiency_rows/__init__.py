"""What `efficiency.py` is made of: made texts, a stub embedder, one module a row, and the page."""
