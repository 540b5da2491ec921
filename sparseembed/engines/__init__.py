"""Engines: integer impacts in, ranked hits out.

`base` says what an engine is; `lucene` holds the default one, `exact` the reference that it is checked against, and
`bm25` the text baseline. `jvm` is the only module that touches Java's start.
"""
