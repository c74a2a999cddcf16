"""Who asks, and in which workspace. Travels as an argument; made at the edge only."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class TenantRole(StrEnum):
    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"

    def is_above(self, other: "TenantRole") -> bool:
        return RANKS.index(self) < RANKS.index(other)


RANKS = list(TenantRole)
"""The highest first."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in person, before any workspace is chosen."""

    user_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Viewer(Identity):
    """An active member of one workspace."""

    tenant_id: UUID
    role: TenantRole

    @property
    def is_admin(self) -> bool:
        return self.role is not TenantRole.MEMBER


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from: for sessions, limits and the audit log."""

    request_id: str
    ip_address: str | None = None
    user_agent: str | None = None
