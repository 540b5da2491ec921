"""The one-word retrieval prompts, for any causal LM that was not trained as an embedder."""

from sparseembed.embedders.spec import EmbedderSpec

# The one-word retrieval prompt: it beat "This sentence means in one word" on every measure tried.
_WORD = 'The most important word to represent the passage in retrieval task is: "'
DOCUMENT_PROMPT = 'Passage: "{text}". ' + _WORD
# The query side asks for the same word, so that the two sides lie close. Chosen on SciFact's train split (809 queries,
# dense nDCG@10, cosine / centred): "Search query" .316 / .378, "Query" .270 / .381, "Question" .255 / .374, "Sentence"
# .272 / .362, "Claim" .251 / .372, "Title" .227 / .364.
QUERY_PROMPT = 'Search query: "{text}". ' + _WORD

# Further prompts of documents, by name. They begin as the document prompt does, so that a text is read once for all.
MORE_PROMPTS = {
    "keywords": 'Passage: "{text}". The keywords of the passage in retrieval task are: "',
    "question": 'Passage: "{text}". A question that the passage answers begins with a word about its topic: "',
}


def prompted(name: str, weights: str, revision: str | None = None) -> EmbedderSpec:
    """Return a causal LM with the one-word retrieval prompts and last-token pooling."""
    return EmbedderSpec(name, weights, revision, document_prompt=DOCUMENT_PROMPT, query_prompt=QUERY_PROMPT)
