"""The tools of an index, called by the SDK's own client: through a real process's pipes, and through HTTP."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparseembed import Searcher
from sparseembed.serving.settings import Settings

pytest.importorskip("mcp")
pytestmark = [pytest.mark.jvm, pytest.mark.usefixtures("silence")]

QUERY = "whales that breathe air"


def talk(server, conversation):
    """Let a client of the SDK talk to a server: a URL, a command's parameters, or a server object."""
    from mcp import Client

    async def talked():
        async with Client(server, read_timeout_seconds=120) as client:
            return await conversation(client)

    return asyncio.run(talked())


def process(index, *options):
    """Return how to start the command as an agent's program does."""
    from mcp import StdioServerParameters

    words = ["-m", "sparseembed", "serve", str(index), "--mcp", *options]
    return StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))


async def everything(client):
    """List the tools and call each."""
    listed = await client.list_tools()
    found = await client.call_tool("search", {"query": QUERY, "k": 3})
    first = found.structured_content["hits"][0]["id"]
    told = await client.call_tool("explain", {"query": QUERY, "id": first})
    part = await client.call_tool("get_document", {"id": first, "start": 2, "length": 7})
    return client.instructions, listed.tools, found, told, part


def checked(index, answers):
    """Compare what a client got with what the library says."""
    instructions, tools, found, told, part = answers
    assert "documents)" in instructions
    assert [tool.name for tool in tools] == ["search", "explain", "get_document"]
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.output_schema["properties"]
        assert len(tool.description) > 40
        assert all("description" in each for each in tool.input_schema["properties"].values()), tool.input_schema
    assert [each.is_error for each in (found, told, part)] == [False] * 3
    with Searcher.open(index) as searcher:
        hits = searcher.search(QUERY, 3)
        answer = found.structured_content
        assert [(hit["rank"], hit["id"], hit["score"]) for hit in answer["hits"]] == [
            (hit.rank, hit.id, hit.score) for hit in hits
        ]
        for hit in answer["hits"]:
            explained = searcher.explain(QUERY, hit["id"])
            spelled = searcher.insight.spelled(QUERY)
            for key, origin in (("matched_words", "literal"), ("matched_by_meaning", "expansion")):
                assert hit[key] == [spelled(term.term) for term in explained.terms if term.origin == origin]
            assert set(hit["matched_words"]) <= set(QUERY.split())
        explained = searcher.explain(QUERY, hits[0].id)
        terms = told.structured_content["terms"]
        assert [term["score"] for term in terms] == [term.score for term in explained.terms]
        assert [term["stands_in_document"] for term in terms] == [t.origin == "literal" for t in explained.terms]
        assert all(term["score"] == term["from_words"] + term["from_meaning"] for term in terms)
        assert sum(term["score"] for term in terms) == told.structured_content["score"] == explained.score
        text = searcher.text(hits[0].id)
    document = part.structured_content
    assert (document["text"], document["next_start"], document["total_characters"]) == (text[2:9], 9, len(text))
    # Clients without structured answers read the same as text.
    assert json.loads(found.content[0].text) == found.structured_content


def test_a_program_talks_through_pipes(index):
    checked(index, talk(process(index), everything))


def test_nothing_but_the_protocol_reaches_standard_output(index):
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
    call["params"] = {"name": "search", "arguments": {"query": QUERY}}
    lines = [hello, {"jsonrpc": "2.0", "method": "notifications/initialized"}, call]
    command = [sys.executable, "-m", "sparseembed", "serve", str(index), "--mcp"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in lines:
            running.stdin.write(json.dumps(line) + "\n")
        running.stdin.flush()
        answers = [json.loads(running.stdout.readline()) for _ in range(2)]
        rest, complaints = running.communicate(timeout=120)
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["hits"]
    assert (rest, running.returncode) == ("", 0)
    assert QUERY not in complaints


REFUSED = [
    (b"hello", None, -32700),
    (b'{"jsonrpc": "2.0", "id": 3, "method": ', None, -32700),
    (b"[" * 10_000, None, -32700),
    (rb'{"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "\ud800"}}', "a", -32700),
    (b"5", None, -32600),
    (b'[{"jsonrpc": "2.0", "id": 4, "method": "ping"}]', None, -32600),
    (b'{"id": 5, "method": "ping"}', 5, -32600),
    (b'{"jsonrpc": "1.0", "id": "b", "method": "ping"}', "b", -32600),
    (b'{"jsonrpc": "2.0", "id": 6, "method": 7}', 6, -32600),
    (b'{"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": "x"}', 8, -32600),
    (b'{"jsonrpc": "2.0", "id": true, "method": "ping", "params": 1}', None, -32600),
]
SILENT = [b"", b"  ", b'{"jsonrpc": "1.0", "id": 9, "result": {}}', b'{"id": 9, "error": 1}']


def test_requests_of_a_pipe_that_ends_are_answered(index):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        *(
            {
                "jsonrpc": "2.0",
                "id": f"call {number}",
                "method": "tools/call",
                "params": {"name": "search", "arguments": {"query": QUERY}},
            }
            for number in range(20)
        ),
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "call 5"}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "never asked"}},
    ]
    command = [sys.executable, "-m", "sparseembed", "serve", str(index), "--mcp", "-q"]
    asked = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(command, input=asked, capture_output=True, timeout=300, check=True, text=True)
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert set(answers) >= {0, *(f"call {number}" for number in range(20) if number != 5)}
    assert all("result" in answer for key, answer in answers.items() if key != "call 5")


def test_what_is_no_message_is_answered(index):
    ping = b'{"jsonrpc": "2.0", "id": "last", "method": "ping"}'
    lines = [*SILENT, *(line for line, _, _ in REFUSED), *SILENT, ping]
    command = [sys.executable, "-m", "sparseembed", "serve", str(index), "--mcp", "-q"]
    done = subprocess.run(command, input=b"\n".join(lines) + b"\n", capture_output=True, timeout=300, check=True)
    *refused, last = map(json.loads, done.stdout.splitlines())
    assert [(answer["id"], answer["error"]["code"]) for answer in refused] == [(key, code) for _, key, code in REFUSED]
    assert all(answer["jsonrpc"] == "2.0" and answer["error"]["message"] for answer in refused)
    assert last == {"jsonrpc": "2.0", "id": "last", "result": {}}


@pytest.fixture(scope="module")
def indexes(index, other):
    """Both indexes, open in this process."""
    from sparseembed.serving.indexes import ServedIndexes

    with ServedIndexes([index, other]) as opened:
        yield opened


@pytest.fixture(scope="module")
def tools(indexes):
    """A server of both indexes, in this process."""
    from sparseembed.serving.agents.server import agent_server

    return agent_server(indexes, Settings(max_query=200))


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("search", {"query": "x" * 201}, "search: query: String should have at most 200 characters"),
        ("search", {"query": ""}, "search: query: String should have at least 1 character"),
        ("search", {"query": "cat", "k": 51}, "search: k: Input should be less than or equal to 50"),
        ("search", {}, "search: query: Field required"),
        ("search", {"query": "cat", "limit": 3}, "search: there is no argument 'limit': there are query, k, filter, "),
        ("search", {"query": "cat", "filter": ["a=" + "x|" * 4_000]}, "search: filter.0: String should have at most"),
        ("search", {"query": "cat", "filter": ["year"]}, "search: the filter 'year'"),
        ("search", {"query": "cat", "index": "none"}, "search: there is no index 'none' here"),
        ("explain", {"query": "cat", "id": "no\nbody"}, "explain: the index"),
        ("get_document", {"id": "../../../etc/passwd"}, "get_document: the index"),
        ("get_document", {"id": "cat", "start": 10**6}, "get_document: start is 1,000,000, and the document"),
        ("get_document", {"id": "cat", "length": 0}, "get_document: length: Input should be greater than"),
        ("format_disk", {}, "format_disk: "),
    ],
)
def test_mistakes_are_told_in_one_line(tools, tool, arguments, message):
    answer = talk(tools, lambda client: client.call_tool(tool, arguments))
    assert answer.is_error
    [told] = [each.text for each in answer.content]
    assert told.startswith(message)
    assert "\n" not in told
    assert "Traceback" not in told


def test_indexes_metadata_and_filters(tools, indexes):
    async def ask(client):
        filtered = await client.call_tool("search", {"query": "sea", "filter": ["year>=2019"], "k": 50})
        other = await client.call_tool("search", {"query": "sea", "index": indexes.names()[1]})
        nothing = await client.call_tool("search", {"query": "zorblax"})
        return [each.structured_content for each in (filtered, other, nothing)]

    filtered, other, nothing = talk(tools, ask)
    assert filtered["hits"]
    assert all(hit["metadata"]["year"] >= 2019 for hit in filtered["hits"])
    assert (other["index"], bool(other["hits"])) == (indexes.names()[1], True)
    assert nothing["hits"] == []
    assert nothing["advice"] == "No document shares a term with the query: use other or more words."


def test_a_document_is_read_part_by_part(tools, indexes):
    async def read(client):
        parts, start = [], 0
        while start is not None:
            answer = await client.call_tool("get_document", {"id": "cat", "start": start, "length": 11})
            parts.append(answer.structured_content["text"])
            start = answer.structured_content["next_start"]
        return parts

    parts = talk(tools, read)
    with indexes.searcher() as searcher:
        assert "".join(parts) == searcher.text("cat")
    assert len(parts) > 3


@pytest.fixture(scope="module")
def address(serve, index, other):
    """The address of the tools of a server that answers programs and people too."""
    return f"{serve(index, other, '--mcp=http', '--seconds', '60').url}/mcp"


def test_agents_over_http(index, address):
    checked(index, talk(address, everything))


def test_older_clients_over_http(index, address):
    from mcp import Client

    async def talked():
        async with Client(address, mode="legacy", read_timeout_seconds=120) as client:
            return await everything(client)

    checked(index, asyncio.run(talked()))


def test_a_new_commit_is_answered_through_pipes(index, tmp_path):
    from sparseembed import Index

    copied = Path(shutil.copytree(index, tmp_path / "copied"))

    async def ask(client):
        before = await client.call_tool("get_document", {"id": "d20"})
        Index(copied).delete(["d20"])
        return before, await client.call_tool("get_document", {"id": "d20"})

    before, after = talk(process(copied), ask)
    assert (before.is_error, after.is_error) == (False, True)


def test_other_sites_do_not_reach_the_tools(address):
    import httpx

    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream"}
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        answer = httpx.post(address, json=asked, headers=accept | headers)
        assert answer.status_code in (403, 421)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_there_is_nothing_to_listen_to(address, method):
    """Else clients, which ask for a stream, would get one that ends by the time limit, and again."""
    import httpx

    answer = httpx.request(method, address, headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_the_example_runs(index):
    example = Path(__file__).parents[2] / "examples" / "agent.py"
    done = subprocess.run(
        [sys.executable, example, index, QUERY], capture_output=True, text=True, timeout=120, check=True
    )
    with Searcher.open(index) as searcher:
        first = searcher.search(QUERY, 1)[0].id
        assert done.stdout.startswith("1. ")
        assert done.stdout.endswith(f"\n\n{searcher.text(first)}\n")
