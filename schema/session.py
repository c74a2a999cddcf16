from datetime import datetime

import strawberry

from schema.context import Info
from schema.node import Node


@strawberry.type
class Session(Node):
    user_agent: str | None
    ip_address: str | None
    created_at: datetime
    last_activity_at: datetime
    expires_at: datetime

    @strawberry.field
    def is_current(self, info: Info) -> bool:
        return self.id == info.context.identity.session_id
