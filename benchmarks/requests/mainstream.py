"""What most would write: Strawberry, SQLAlchemy's asyncio ORM and DataLoaders, as their guides show
it, in a transaction of the tenant, with documents parsed and validated once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import ARRAY, Uuid, bindparam, func, select, text, true, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column
from starlette.requests import Request
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, SchemaExtension, ValidationCache

from core.credentials import AccessTokens
from core.settings import Settings

SETTINGS = Settings()
TOKENS = AccessTokens.of(SETTINGS)
ENGINE = create_async_engine(
    SETTINGS.app_url.replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=SETTINGS.pool_size,
    max_overflow=0,
)
Session = async_sessionmaker(ENGINE, expire_on_commit=False)
ENTER = text(
    "SELECT set_config('role', 'parley_tenant', true), set_config('jit', 'off', true),"
    " set_config('app.tenant_id', :tenant, true)"
)


class Base(DeclarativeBase):
    pass


class UserRow(Base):
    __tablename__ = "tenant_users"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str]


class ConversationRow(Base):
    __tablename__ = "conversations"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None]
    title: Mapped[str]
    message_count: Mapped[int]
    last_sequence: Mapped[int]
    version: Mapped[int]
    last_message_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ParticipantRow(Base):
    __tablename__ = "participants"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID]
    user_id: Mapped[UUID]
    last_read_sequence: Mapped[int]
    read_count: Mapped[int]


class MessageRow(Base):
    __tablename__ = "messages"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    conversation_id: Mapped[UUID]
    author_id: Mapped[UUID | None]
    sequence: Mapped[int]
    version: Mapped[int]
    role: Mapped[str]
    content: Mapped[str]
    token_count: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012


class Context:
    """The request's session, which takes one statement at a time, and its loaders."""

    def __init__(self, request: Request | WebSocket) -> None:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.user_id = TOKENS.verify(token).identity.user_id
        self.tenant_id = UUID(request.headers["x-tenant"])
        self.session = Session()
        self.lock = asyncio.Lock()
        self.users = DataLoader(self._users)
        self._messages: dict[int, DataLoader[UUID, list[MessageRow]]] = {}

    def messages(self, last: int) -> DataLoader[UUID, list[MessageRow]]:
        if last not in self._messages:

            async def load(ids: list[UUID]) -> list[list[MessageRow]]:
                return await self._newest(ids, last)

            self._messages[last] = DataLoader(load)
        return self._messages[last]

    async def scalars(self, statement: Any, parameters: Any = None) -> Sequence[Any]:
        async with self.lock:
            return (await self.session.scalars(statement, parameters)).all()

    async def _users(self, ids: list[UUID]) -> list[UserRow | None]:
        rows = await self.scalars(
            select(UserRow).where(UserRow.tenant_id == self.tenant_id, UserRow.id.in_(ids))
        )
        found = {row.id: row for row in rows}
        return [found.get(id) for id in ids]

    async def _newest(self, ids: list[UUID], last: int) -> list[list[MessageRow]]:
        parents = func.unnest(bindparam("ids", type_=ARRAY(Uuid))).table_valued("id", name="parent")
        parents = parents.render_derived()
        newest = (
            select(MessageRow)
            .where(
                MessageRow.tenant_id == self.tenant_id,
                MessageRow.conversation_id == parents.c.id,
                MessageRow.deleted_at.is_(None),
            )
            .order_by(MessageRow.sequence.desc())
            .limit(last)
            .lateral("newest")
        )
        rows = await self.scalars(
            select(aliased(MessageRow, newest)).select_from(parents.join(newest, true())),
            {"ids": list(ids)},
        )
        found = defaultdict(list)
        for row in rows:
            found[row.conversation_id].append(row)
        return [found[id] for id in ids]

    def mine(self) -> Any:
        """The conversations that one takes part in."""
        return (
            select(ConversationRow)
            .join(
                ParticipantRow,
                (ParticipantRow.tenant_id == self.tenant_id)
                & (ParticipantRow.conversation_id == ConversationRow.id)
                & (ParticipantRow.user_id == self.user_id),
            )
            .where(
                ConversationRow.tenant_id == self.tenant_id, ConversationRow.deleted_at.is_(None)
            )
        )


class TenantTransaction(SchemaExtension):
    async def on_operation(self) -> AsyncIterator[None]:
        context: Context = self.execution_context.context
        async with context.session as session:
            await session.execute(ENTER, {"tenant": str(context.tenant_id)})
            yield
            result: Any = self.execution_context.result
            if result is not None and result.errors:
                await session.rollback()
            else:
                await session.commit()


Info = strawberry.Info[Context, None]


@strawberry.type
class User:
    id: strawberry.ID
    username: str

    @classmethod
    def of(cls, row: UserRow) -> "User":
        return cls(id=strawberry.ID(str(row.id)), username=row.username)


@strawberry.type
class Message:
    id: strawberry.ID
    role: str
    content: str
    token_count: int | None
    created_at: datetime
    author_id: strawberry.Private[UUID | None]

    @classmethod
    def of(cls, row: MessageRow) -> "Message":
        return cls(
            id=strawberry.ID(str(row.id)),
            role=row.role,
            content=row.content,
            token_count=row.token_count,
            created_at=row.created_at,
            author_id=row.author_id,
        )

    @strawberry.field
    async def author(self, info: Info) -> User | None:
        if self.author_id is None:
            return None
        row = await info.context.users.load(self.author_id)
        return User.of(row) if row else None


@strawberry.type
class Conversation:
    id: strawberry.ID
    title: str
    message_count: int
    last_message_at: datetime | None
    row: strawberry.Private[ConversationRow]

    @classmethod
    def of(cls, row: ConversationRow) -> "Conversation":
        return cls(
            id=strawberry.ID(str(row.id)),
            title=row.title,
            message_count=row.message_count,
            last_message_at=row.last_message_at,
            row=row,
        )

    @strawberry.field
    async def owner(self, info: Info) -> User | None:
        if self.row.owner_id is None:
            return None
        row = await info.context.users.load(self.row.owner_id)
        return User.of(row) if row else None

    @strawberry.field
    async def last_message(self, info: Info) -> Message | None:
        rows = await info.context.messages(1).load(self.row.id)
        return Message.of(rows[0]) if rows else None

    @strawberry.field
    async def messages(self, info: Info, last: int) -> list[Message]:
        return [Message.of(row) for row in await info.context.messages(last).load(self.row.id)]


@strawberry.input
class SendMessageInput:
    conversation_id: strawberry.ID
    content: str
    token_count: int


@strawberry.type
class Query:
    @strawberry.field
    async def conversations(self, info: Info, first: int) -> list[Conversation]:
        recent = func.coalesce(ConversationRow.last_message_at, ConversationRow.created_at)
        rows = await info.context.scalars(
            info.context.mine().order_by(recent.desc(), ConversationRow.id.desc()).limit(first)
        )
        return [Conversation.of(row) for row in rows]

    @strawberry.field
    async def conversation(self, info: Info, id: strawberry.ID) -> Conversation | None:
        rows = await info.context.scalars(info.context.mine().where(ConversationRow.id == UUID(id)))
        return Conversation.of(rows[0]) if rows else None


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def send_message(self, info: Info, input: SendMessageInput) -> Message:
        context = info.context
        id = UUID(input.conversation_id)
        async with context.lock:
            sequence, version, count = (
                await context.session.execute(
                    update(ConversationRow)
                    .where(ConversationRow.tenant_id == context.tenant_id, ConversationRow.id == id)
                    .values(
                        last_sequence=ConversationRow.last_sequence + 1,
                        version=ConversationRow.version + 1,
                        message_count=ConversationRow.message_count + 1,
                        last_message_at=func.now(),
                    )
                    .returning(
                        ConversationRow.last_sequence,
                        ConversationRow.version,
                        ConversationRow.message_count,
                    )
                    .execution_options(synchronize_session=False)
                )
            ).one()
            (
                await context.session.execute(
                    update(ParticipantRow)
                    .where(
                        ParticipantRow.tenant_id == context.tenant_id,
                        ParticipantRow.conversation_id == id,
                        ParticipantRow.user_id == context.user_id,
                    )
                    .values(last_read_sequence=sequence, read_count=count)
                    .returning(ParticipantRow.id)
                    .execution_options(synchronize_session=False)
                )
            ).one()
            message = MessageRow(
                tenant_id=context.tenant_id,
                conversation_id=id,
                author_id=context.user_id,
                sequence=sequence,
                version=version,
                role="USER",
                content=input.content,
                token_count=input.token_count,
            )
            context.session.add(message)
            await context.session.flush()
        return Message.of(message)


class App(GraphQL[Context, None]):
    async def get_context(
        self,
        request: Request | WebSocket,
        response: object,  # noqa: ARG002
    ) -> Context:
        return Context(request)


def create_app() -> App:
    # Classes, not instances: those would be shared by requests that run side by side.
    extensions = [ParserCache, ValidationCache, TenantTransaction]
    schema = strawberry.Schema(Query, Mutation, extensions=extensions)
    return App(schema, graphql_ide=None)
