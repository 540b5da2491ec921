"""Documents with their impacts, to other engines: each format is a sink."""
