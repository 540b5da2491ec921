"""Queries made of documents, for training and for choosing a mix."""
