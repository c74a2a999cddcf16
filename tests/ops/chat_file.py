"""Small TinyDB files, and what is in the database after their import."""

import json
from pathlib import Path
from typing import Any

from core.settings import Settings
from ops.tinydb import Summary, import_tinydb
from tests.conftest import Database

Tables = dict[str, list[Any]]

HASH = "pbkdf2_sha256$100000$salt$" + "0a" * 32
T0 = 1_709_337_600  # 2024-03-02T00:00:00Z


def user(name: str = "ann", **fields: object) -> dict[str, object]:
    return {"username": name, "password_hash": HASH, "created_at": T0} | fields


def conversation(id: str = "c1", owner: str = "ann", **fields: object) -> dict[str, object]:
    row = {"conversation_id": id, "username": owner, "title": "Hello", "created_at": T0}
    return row | fields


def message(id: str, conversation: str = "c1", **fields: object) -> dict[str, object]:
    row = {"message_id": id, "conversation_id": conversation, "role": "user", "content": id}
    return row | {"timestamp": T0} | fields


def document(id: str = "d1", owner: str = "ann", **fields: object) -> dict[str, object]:
    row = {"document_id": id, "filename": "a.md", "content_type": "text/markdown"}
    return row | {"content": "é", "metadata": {}, "username": owner, "created_at": T0} | fields


def session(id: str = "s1", owner: str = "ann", **fields: object) -> dict[str, object]:
    row = {"session_id": id, "username": owner, "access_jti": "x", "created_at": T0}
    return row | {"last_activity": T0 + 60} | fields


def chat(messages: int = 3) -> Tables:
    """Two people, a conversation each, all that belongs to them; nothing to complain about."""
    return {
        "users": [user("ann", email="ann@example.com"), user("bob")],
        "documents": [document("d1"), document("d2", "bob")],
        "conversations": [conversation("c1"), conversation("c2", "bob")],
        "messages": [message(f"m{n}", "c1", timestamp=T0 + n) for n in range(messages)],
        "sessions": [session()],
    }


class Workbench:
    """Writes files, imports them, asks what came of it."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.settings = Settings(owner_database_url=database.url("parley_owner"))
        self.file = directory / "chat.json"
        self.report = directory / "chat.rejected.jsonl"

    def write(self, tables: Tables | str | bytes) -> Path:
        if isinstance(tables, dict):
            rows = {name: _numbered(table) for name, table in tables.items()}
            tables = json.dumps(rows)
        self.file.write_bytes(tables.encode() if isinstance(tables, str) else tables)
        return self.file

    async def bring(
        self, tables: Tables | str | bytes, tenant: str = "acme", owner: str | None = None
    ) -> Summary:
        return await import_tinydb(
            self.settings,
            self.write(tables),
            tenant=tenant,
            owner=owner,
            report=self.report,
        )

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        connection = await self.database.connect()
        try:
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows of all tables, with the transaction that wrote them last."""
        tables = await self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [table["tablename"] for table in tables]
        return {
            name: [
                tuple(row.values())
                for row in await self.rows(f"SELECT xmin::text, xmax::text, t.* FROM {name} t")
            ]
            for name in names
        }

    def reported(self) -> list[dict[str, Any]]:
        if not self.report.exists():
            return []
        return [json.loads(line) for line in self.report.read_text().splitlines()]


def _numbered(table: object) -> object:
    if not isinstance(table, list):
        return table
    return {str(number): row for number, row in enumerate(table, start=1)}
