"""Building an index on the machines of a Ray cluster. Only what is asked to do so imports Ray."""
