"""Vocabulary scores to impacts: term spaces, weighting, literal impacts, quantisation, vectors on disk."""
