"""An index inside an application of one's own: the server's routes below a path, beside other routes.

pip install "sparseembed[serve]" httpx
python examples/serving.py indexes/pydocs "pick a random element from a list"
"""

import asyncio
import sys

import httpx
from fastapi import FastAPI

from sparseembed.errors import SparseEmbedError
from sparseembed.serving.app import create_app
from sparseembed.serving.indexes import ServedIndexes
from sparseembed.serving.settings import Settings


async def main(folder: str, query: str) -> None:
    """Ask the application, here without a port: `uvicorn module:app` would serve it at one."""
    app = FastAPI()
    # The server's own start and end are not run where it is mounted: new commits are opened by POST /find/reload.
    app.mount("/find", create_app(ServedIndexes([folder]), Settings(max_k=20)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        answer = await client.get("/find/search", params={"query": query, "k": 3, "fields": "text"})
        for hit in answer.raise_for_status().json()["hits"]:
            sys.stdout.write(f"{hit['rank']}  {hit['score']}  {hit['id']}  {hit['text'][:60]!r}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except SparseEmbedError as error:
        sys.exit(f"error: {error}")
