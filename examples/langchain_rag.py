"""Retrieval-augmented generation with LangChain: retriever, prompt and model in one chain.

    pip install "sparseembed[langchain]"
    python examples/langchain_rag.py [EMBEDDER]

The model is one that says what it was given, so that the example runs anywhere: put a chat model in its place, such as
`init_chat_model(...)`.
"""

import tempfile

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from small_collection import index

from sparseembed.integrations.langchain import SparseEmbedRetriever


def as_context(documents: list[Document]) -> str:
    """Put documents into the prompt."""
    return "\n".join(f"[{document.id}] {document.page_content}" for document in documents)


def model(prompt: PromptValue) -> str:
    """Stand in for a chat model: answer with the best document's id."""
    return f"See {prompt.to_string().partition('[')[2].partition(']')[0]}."


with tempfile.TemporaryDirectory() as folder:
    retriever = SparseEmbedRetriever(index=str(index(folder)), k=3)
    prompt = ChatPromptTemplate.from_template("Answer from these texts:\n{context}\n\nQuestion: {question}")
    chain = (
        {"context": retriever | as_context, "question": RunnablePassthrough()}
        | prompt
        | RunnableLambda(model)
        | StrOutputParser()
    )
    answer = chain.invoke("which animal gives milk to its young")
    print(answer)
    for document in retriever.invoke("light of the sun", filter={"topic": "sky", "year": {"$gte": 2010}}):
        print(document.id, document.metadata)
    retriever.searcher.close()
