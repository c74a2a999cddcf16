"""Every table, by its name."""

from tables.audit_event import AuditEvent
from tables.cache_invalidation import CacheInvalidation
from tables.conversation import Conversation, Participant
from tables.document import Document
from tables.membership import Membership
from tables.message import Message, MessageChange, MessageDocument
from tables.session import RefreshToken, Session
from tables.tenant import Tenant
from tables.user import User

__all__ = [
    "AuditEvent",
    "CacheInvalidation",
    "Conversation",
    "Document",
    "Membership",
    "Message",
    "MessageChange",
    "MessageDocument",
    "Participant",
    "RefreshToken",
    "Session",
    "Tenant",
    "User",
]
