"""Call an index's tools as an agent does: python examples/agent.py INDEX QUERY.

Needs pip install "sparseembed[mcp]".
"""

import asyncio
import os
import sys

from mcp import Client, StdioServerParameters


async def main(index: str, query: str) -> None:
    """Search, and read the first document that is found."""
    arguments = ["-m", "sparseembed", "serve", index, "--mcp"]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
    async with Client(server) as client:
        found = await client.call_tool("search", {"query": query, "k": 3})
        for hit in found.structured_content["hits"]:
            by_meaning = ", ".join(hit["matched_by_meaning"])
            print(f"{hit['rank']}. {hit['title']}" + (f" (by meaning: {by_meaning})" if by_meaning else ""))
        for hit in found.structured_content["hits"][:1]:
            document = await client.call_tool("get_document", {"id": hit["id"]})
            print(f"\n{document.structured_content['text']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
