"""How fast it could be: for each operation one statement that builds the JSON, which is passed on
as it came. Who asks is known by their token, and believed that they are in the workspace."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.credentials import AccessTokens
from core.settings import Settings

AUTHOR = """(SELECT row_to_json(a) FROM (
    SELECT u.id, u.username FROM tenant_users u WHERE u.tenant_id = $1 AND u.id = m.author_id
) AS a) AS author"""
MESSAGES = f"""SELECT coalesce(json_agg(q), '[]') FROM (
    SELECT m.id, m.role, m.content, m.token_count AS "tokenCount", m.created_at AS "createdAt",
        {AUTHOR}
    FROM messages m WHERE m.tenant_id = $1 AND m.conversation_id = c.id AND m.deleted_at IS NULL
    ORDER BY m.sequence DESC LIMIT $4
) AS q"""
MINE = """FROM conversations c JOIN participants p
    ON p.tenant_id = $1 AND p.conversation_id = c.id AND p.user_id = $2
    WHERE c.tenant_id = $1 AND c.deleted_at IS NULL"""
NEWEST_MINE = f"""(SELECT c.* {MINE}
    ORDER BY coalesce(c.last_message_at, c.created_at) DESC, c.id DESC LIMIT $3) AS c"""
ANSWER = "SELECT json_build_object('data', json_build_object('{name}', {value}))"

INBOX = f"""
{ANSWER.format(name="conversations", value="coalesce(json_agg(t), '[]')")} FROM (
    SELECT c.id, c.title, c.message_count AS "messageCount", c.last_message_at AS "lastMessageAt",
        (SELECT row_to_json(o) FROM (
            SELECT u.id, u.username FROM tenant_users u
            WHERE u.tenant_id = $1 AND u.id = c.owner_id
        ) AS o) AS owner,
        (SELECT row_to_json(q) FROM (
            SELECT m.id, m.content, m.created_at AS "createdAt",
                (SELECT row_to_json(a) FROM (
                    SELECT u.username FROM tenant_users u
                    WHERE u.tenant_id = $1 AND u.id = m.author_id
                ) AS a) AS author
            FROM messages m
            WHERE m.tenant_id = $1 AND m.conversation_id = c.id AND m.deleted_at IS NULL
            ORDER BY m.sequence DESC LIMIT 1
        ) AS q) AS "lastMessage"
    FROM {NEWEST_MINE}
) AS t"""
THREAD = f"""
{ANSWER.format(name="conversation", value="row_to_json(t)")} FROM (
    SELECT c.id, c.title, ({MESSAGES}) AS messages {MINE} AND c.id = $3
) AS t"""
DEEP = f"""
{ANSWER.format(name="conversations", value="coalesce(json_agg(t), '[]')")} FROM (
    SELECT c.id, c.title, ({MESSAGES}) AS messages FROM {NEWEST_MINE}
) AS t"""
MESSAGE = """json_build_object('id', m.id, 'role', m.role, 'content', m.content,
    'tokenCount', m.token_count, 'createdAt', m.created_at,
    'author', json_build_object('id', u.id, 'username', u.username))"""
SEND = f"""
WITH counted AS (
    UPDATE conversations c SET last_sequence = c.last_sequence + 1, version = c.version + 1,
        message_count = c.message_count + 1, last_message_at = now()
    FROM participants p
    WHERE c.tenant_id = $1 AND c.id = $3 AND c.deleted_at IS NULL
    AND p.tenant_id = $1 AND p.conversation_id = $3 AND p.user_id = $2
    RETURNING c.id, c.last_sequence, c.version, c.message_count, p.id AS participant_id
), reader AS (
    UPDATE participants p SET last_read_sequence = counted.last_sequence,
        read_count = counted.message_count
    FROM counted WHERE p.tenant_id = $1 AND p.id = counted.participant_id
), m AS (
    INSERT INTO messages (tenant_id, conversation_id, author_id, sequence, version, role, content,
        token_count)
    SELECT $1, id, $2, last_sequence, version, 'USER', $4, $5 FROM counted RETURNING *
)
{ANSWER.format(name="sendMessage", value=MESSAGE)}
FROM m JOIN tenant_users u ON u.tenant_id = $1 AND u.id = m.author_id"""

Variables = dict[str, Any]
STATEMENTS: dict[str, tuple[str, Callable[[Variables], tuple[object, ...]]]] = {
    "inbox": (INBOX, lambda given: (given["first"],)),
    "thread": (THREAD, lambda given: (UUID(given["id"]), given["last"])),
    "deep": (DEEP, lambda given: (given["first"], given["last"])),
    "send": (
        SEND,
        lambda given: (
            UUID(given["input"]["conversationId"]),
            given["input"]["content"],
            given["input"]["tokenCount"],
        ),
    ),
}


async def _pass_json_on(connection: Any) -> None:
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
    )


async def _keep(_: object) -> None:
    """Nothing outlives a transaction: there is nothing to reset."""


def create_app() -> Starlette:
    settings = Settings()
    tokens = AccessTokens.of(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        size = settings.pool_size
        app.state.pool = await asyncpg.create_pool(
            settings.app_url,
            min_size=size,
            max_size=size,
            init=_pass_json_on,
            reset=_keep,
            server_settings={"plan_cache_mode": "force_generic_plan"},
        )
        yield
        await app.state.pool.close()

    async def answer(request: Request) -> Response:
        statement, arguments = STATEMENTS[request.path_params["operation"]]
        who = tokens.verify(request.headers["authorization"].removeprefix("Bearer ")).identity
        tenant = UUID(request.headers["x-tenant"])
        given = arguments(orjson.loads(await request.body())["variables"])
        async with request.app.state.pool.acquire() as connection:
            await connection.execute(
                "BEGIN; SET LOCAL ROLE parley_tenant; SET LOCAL jit = off;"
                f" SET LOCAL app.tenant_id = '{tenant}'"
            )
            try:
                body = await connection.fetchval(statement, tenant, who.user_id, *given)
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")
        return Response(body, media_type="application/json")

    return Starlette(
        routes=[Route("/{operation}", answer, methods=["POST"])],
        lifespan=lifespan,
    )
