"""A small MongoDB for tests, over its wire: OP_MSG with hello and update by upsert, on documents in memory.

It keeps what it was given as BSON types, and is strict: an operator or command that it does not know is an error.
"""

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import bson

_OP_REPLY: Final = 1
_OP_QUERY: Final = 2004
_OP_MSG: Final = 2013
_HELLO: Final = {
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16_777_216,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "ok": 1.0,
}


class MongoStub(socketserver.ThreadingTCPServer):
    """``documents`` by IMSI; ``refuse_after`` writes it answers with an error."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.documents: dict[str, dict[str, Any]] = {}
        self.namespaces: set[tuple[str, str]] = set()
        self.refuse_after: int | None = None
        self.guard = threading.Lock()

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.server_address[1]}/open5gs"

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command)).lower()
        if name in ("hello", "ismaster"):
            return dict(_HELLO)
        if name in ("ping", "endsessions"):
            return {"ok": 1.0}
        if name != "update":
            return {"ok": 0.0, "code": 59, "errmsg": f"no such command: {name}"}
        with self.guard:
            return self._update(command)

    def _update(self, command: dict[str, Any]) -> dict[str, Any]:
        if self.refuse_after == 0:
            return {"ok": 0.0, "code": 13, "errmsg": f"not authorized: {command}"}
        if self.refuse_after is not None:
            self.refuse_after -= 1
        self.namespaces.add((command["$db"], command["update"]))
        (wanted,) = command["updates"]
        assert set(wanted) <= {"q", "u", "upsert", "multi"}
        assert list(wanted["q"]) == ["imsi"]
        assert set(wanted["u"]) == {"$set", "$setOnInsert"}
        imsi = wanted["q"]["imsi"]
        found = self.documents.get(imsi)
        if found is not None:
            _set(found, wanted["u"]["$set"])
            return {"ok": 1.0, "n": 1, "nModified": 1}
        if not wanted["upsert"]:
            return {"ok": 1.0, "n": 0, "nModified": 0}
        made: dict[str, Any] = {"_id": bson.ObjectId(), "imsi": imsi}
        _set(made, wanted["u"]["$set"])
        _set(made, wanted["u"]["$setOnInsert"])
        self.documents[imsi] = made
        return {"ok": 1.0, "n": 1, "nModified": 0, "upserted": [{"index": 0, "_id": made["_id"]}]}


class _Connection(socketserver.StreamRequestHandler):
    server: MongoStub

    def handle(self) -> None:
        while head := self.rfile.read(16):
            length, request, _, opcode = struct.unpack("<iiii", head)
            body = self.rfile.read(length - 16)
            if opcode == _OP_QUERY:
                command = bson.decode(body[body.index(b"\0", 4) + 9 :])
                content = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(self.server.answer(command))
                self._send(request, _OP_REPLY, content)
                continue
            assert opcode == _OP_MSG
            content = struct.pack("<IB", 0, 0) + bson.encode(self.server.answer(_message(body)))
            self._send(request, _OP_MSG, content)

    def _send(self, request: int, opcode: int, content: bytes) -> None:
        self.wfile.write(struct.pack("<iiii", 16 + len(content), 0, request, opcode) + content)


def _message(body: bytes) -> dict[str, Any]:
    """Return the command of an OP_MSG: its body, and its document sequences as lists in it."""
    command: dict[str, Any] = {}
    place = 4
    while place < len(body):
        kind, place = body[place], place + 1
        size = struct.unpack_from("<i", body, place)[0]
        section = body[place : place + size]
        if kind == 0:
            command = {**bson.decode(section), **command}
        else:
            end = section.index(b"\0", 4)
            command[section[4:end].decode()] = bson.decode_all(section[end + 1 :])
        place += size
    return command


def _set(document: dict[str, Any], changes: dict[str, Any]) -> None:
    for path, value in changes.items():
        *parents, name = path.split(".")
        inner = document
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value


@contextmanager
def mongo_stub() -> Iterator[MongoStub]:
    with MongoStub() as stub:
        thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.05}, name="mongo-stub")
        thread.start()
        try:
            yield stub
        finally:
            stub.shutdown()
            thread.join(10)
