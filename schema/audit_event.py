import base64
from datetime import UTC, datetime
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from core.errors import BadInput
from resolvers.audit_event import AuditFilter as Filter
from resolvers.audit_event import Target
from resolvers.user import users_by_id
from schema.loading import loaded
from schema.node import Node, key_of, parse_global_id
from schema.user import User


@strawberry.type(description="What somebody did, as it was recorded then.")
class AuditEvent(Node):
    action: str = strawberry.field(description='For example "member.role_changed".')
    details: JSON
    ip_address: str | None
    request_id: str | None = strawberry.field(description="As in the server's log.")
    created_at: datetime
    actor_id: strawberry.Private[UUID | None]
    target_id: strawberry.Private[str | None]

    actor: User | None = loaded(
        users_by_id, "actor_id", description="Null for a command, and when the user is gone."
    )

    @strawberry.field(
        name="targetId", description="The id of what was acted on, which may be gone since."
    )
    def global_target_id(self) -> strawberry.ID | None:
        if self.target_id is None:
            return None
        return strawberry.ID(base64.b64encode(self.target_id.encode()).decode())


@strawberry.input(description="All that is given must hold.")
class AuditFilter:
    action: str | None = None
    actor_id: strawberry.ID | None = None
    target_id: strawberry.ID | None = None
    since: datetime | None = strawberry.field(default=None, description="From then on, inclusive.")
    until: datetime | None = strawberry.field(default=None, description="Until then, exclusive.")

    def keys(self) -> Filter:
        return Filter(
            action=self.action,
            actor_id=key_of(self.actor_id, "User", "filter", "actorId"),
            target=_target(self.target_id),
            since=_moment(self.since, "since"),
            until=_moment(self.until, "until"),
        )


def _target(id: str | None) -> Target | None:
    if id is None:
        return None
    target = parse_global_id(id)
    if target is None:
        raise BadInput("Not an id of this graph.", ("filter", "targetId"))
    return target


def _moment(time: datetime | None, field: str) -> datetime | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise BadInput("Must say its offset from UTC: end in Z or +01:00.", ("filter", field))
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise BadInput("Must be in the years 1 to 9999.", ("filter", field)) from error
