"""Who sees what, in one place.

Members of a workspace see each other and its documents. A conversation is seen by its
participants and by admins. E-mail, last sign-in and sessions are seen by oneself; the former two
by admins too. What was deleted is seen, when asked for, by its owner and by admins; a deleted
message by whoever sees its conversation, without content.

Statements take the tenant as $1 and the viewer's user as $2.
"""

from uuid import UUID

from core.viewer import Identity, Viewer

# The viewer's own participation: what they have read, and whether they take part.
JOIN_ME = """LEFT JOIN participants me
    ON me.tenant_id = $1 AND me.conversation_id = c.id AND me.user_id = $2"""


def sees_conversation(viewer: Viewer) -> str:
    """A condition on conversations `c`, joined by JOIN_ME."""
    return "$2::uuid IS NOT NULL" if viewer.is_admin else "me.id IS NOT NULL"


def sees_deleted(viewer: Viewer, alias: str, *, include_deleted: bool) -> str:
    """A condition on rows with an owner that can be deleted."""
    if not include_deleted:
        return f"{alias}.deleted_at IS NULL"
    if viewer.is_admin:
        return "$2::uuid IS NOT NULL"
    return f"({alias}.deleted_at IS NULL OR {alias}.owner_id = $2)"


def sees_private(identity: Identity, user_id: UUID) -> bool:
    """Whether a person's e-mail and last sign-in may be shown."""
    is_admin = isinstance(identity, Viewer) and identity.is_admin
    return is_admin or identity.user_id == user_id
