"""Lucene analyzers put together from Python."""

from typing import Any

from sparseembed.java.jvm import java

Part = tuple[str, dict[str, str]]
"""A tokenizer or token filter, and its arguments."""

_PACKAGE = "org.apache.lucene.analysis"


def lucene_analyzer(tokenizer: Part, *filters: Part) -> Any:
    """Build a Lucene analyzer.

    :param tokenizer: class name without the leading `org.apache.lucene.analysis` and the trailing `Factory`, and its
        arguments, e.g. `("core.WhitespaceTokenizer", {})`.
    :param filters: the token filters in their order, named the same way.
    :return: the analyzer.
    """
    builder = java(f"{_PACKAGE}.custom.CustomAnalyzer").builder()
    # By class and not by short name: Lucene would load each of its hundred factories to find the short names.
    name, arguments = tokenizer
    builder.withTokenizer(java(f"{_PACKAGE}.{name}Factory"), java_map(arguments))
    for name, arguments in filters:
        builder.addTokenFilter(java(f"{_PACKAGE}.{name}Factory"), java_map(arguments))
    return builder.build()


def java_map(entries: dict[str, str]) -> Any:
    """Copy a dict of strings into a new Java map.

    :param entries: the strings.
    :return: a `java.util.HashMap`.
    """
    copied = java("java.util.HashMap")()
    for key, value in entries.items():
        copied.put(key, value)
    return copied
