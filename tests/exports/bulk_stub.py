"""A server on the loopback address that speaks as much of OpenSearch's and Elasticsearch's API as an export uses.

Faults are queued by path: `server.fail("_bulk", "429", "half", ...)`. What they do is in `FAULTS`; a request for which
none waits goes well.
"""

import gzip
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = {
    "opensearch": {"version": {"number": "2.19.1", "distribution": "opensearch"}},
    "opensearch-old": {"version": {"number": "2.9.0", "distribution": "opensearch"}},
    "elasticsearch": {"version": {"number": "9.1.0"}, "tagline": "You Know, for Search"},
}
BUSY = {"type": "es_rejected_execution_exception", "reason": "rejected execution of coordinating operation"}


def answer(handler, status, body):
    """Send a response in JSON."""
    data = json.dumps(body).encode()
    handler.send_response(status)
    if handler.server.kind == "elasticsearch":
        handler.send_header("X-Elastic-Product", "Elasticsearch")
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)


def error(handler, status, kind, reason, cause=None):
    """Send an error as the engines write it."""
    about = {"type": kind, "reason": reason, **({"caused_by": {"type": "x", "reason": cause}} if cause else {})}
    answer(handler, status, {"error": {"root_cause": [about], **about}, "status": status})


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def _body(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _handle(self):
        server, data = self.server, self._body()
        path = self.path.partition("?")[0].strip("/")
        name, _, action = path.partition("/")
        action = action or ("index" if name else "info")
        with server.lock:
            server.requests[self.command, action] += 1
            server.authorizations.add(self.headers.get("Authorization"))
            waiting = server.faults.get(action)
            fault = waiting.pop(0) if waiting else None
        if fault in ("429", "503"):
            return error(self, int(fault), "es_rejected_execution_exception", "too busy")
        if fault == "401":
            return error(self, 401, "security_exception", "missing authentication credentials")
        if fault == "refused":
            return error(
                self, 400, "mapper_parsing_exception", "Failed to parse mapping", "Unknown filter type [delimited]"
            )
        if fault == "slow":
            time.sleep(server.slowness)
        if action == "info":
            return answer(self, 200, KINDS[server.kind])
        with server.lock:
            return getattr(self, f"_do_{action.strip('_')}")(name, data, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle

    def _do_index(self, name, data, _):
        indices = self.server.indices
        if self.command == "PUT":
            if name in indices:
                return error(self, 400, "resource_already_exists_exception", f"index [{name}] already exists")
            indices[name] = {"body": json.loads(data), "documents": {}}
        elif name not in indices:
            return error(self, 404, "index_not_found_exception", f"no such index [{name}]")
        elif self.command == "DELETE":
            del indices[name]
        return answer(self, 200, {"acknowledged": True})

    def _do_mapping(self, name, *_):
        found = self.server.aliases.get(name, name)
        return answer(self, 200, {found: {"mappings": self.server.indices[found]["body"].get("mappings", {})}})

    def _do_refresh(self, *_):
        return answer(self, 200, {})

    def _do_count(self, name, *_):
        return answer(self, 200, {"count": len(self.server.indices[name]["documents"])})

    def _do_mget(self, name, data, _):
        documents = self.server.indices[name]["documents"]
        ids = json.loads(data)["ids"]
        return answer(self, 200, {"docs": [{"_id": each, "found": each in documents} for each in ids]})

    def _do_bulk(self, name, data, fault):
        lines = [json.loads(line) for line in data.decode().rstrip("\n").split("\n")]
        documents, items = self.server.indices[name]["documents"], []
        for number, (action, source) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            ((kind, about),) = action.items()
            assert kind == "create"
            assert about.get("_index", name) == name
            doc_id = about["_id"]
            assert len(doc_id.encode()) <= 512
            if fault == "half" and number % 2:
                items.append({"create": {"_id": doc_id, "status": 429, "error": BUSY}})
            elif fault == "bad" and number == 1:
                bad = {
                    "type": "mapper_parsing_exception",
                    "reason": "failed to parse",
                    "caused_by": {"type": "y", "reason": "field name cannot be blank"},
                }
                items.append({"create": {"_id": doc_id, "status": 400, "error": bad}})
            elif fault == "cut" and number >= len(lines) // 4:
                self.close_connection = True
                self.connection.close()  # the first half is kept, and no answer comes
                return None
            elif doc_id in documents:
                there = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
                items.append({"create": {"_id": doc_id, "status": 409, "error": there}})
            else:
                documents[doc_id] = source
                self.server.created[doc_id] += 1
                items.append({"create": {"_id": doc_id, "status": 201, "result": "created"}})
        return answer(
            self, 200, {"took": 1, "errors": any("error" in each["create"] for each in items), "items": items}
        )

    def _do_search(self, name, data, _):
        body = json.loads(data)
        self.server.searches.append(body)
        hits = [
            {"_id": doc_id, "_score": float(score), "_source": source}
            for doc_id, score, source in self.server.search(self.server.indices[name], body)
        ]
        return answer(self, 200, {"hits": {"total": {"value": len(hits)}, "hits": hits}})


class Stub(ThreadingHTTPServer):
    """The server; use it in a `with` statement."""

    daemon_threads = True

    def __init__(self, kind):
        """Take what it is to look like: a key of `KINDS`."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.kind, self.lock = kind, threading.RLock()
        self.indices, self.aliases, self.faults = {}, {}, {}
        self.requests, self.created, self.authorizations, self.searches = Counter(), Counter(), set(), []
        self.slowness = 2.0
        self.search = lambda index, body: []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def fail(self, action, *faults):
        """Let the next requests for an action fail."""
        self.faults.setdefault(action, []).extend(faults)

    def handle_error(self, *_):
        """Say nothing of connections that were cut."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
