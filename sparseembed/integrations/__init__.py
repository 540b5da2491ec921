"""An index inside other frameworks, each with the conventions of its own."""
