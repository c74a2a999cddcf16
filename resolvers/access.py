"""Who sees what, in one place.

Members of a workspace see each other and its documents. A conversation is seen by its
participants and by admins. E-mail, last sign-in and sessions are seen by oneself; the former two
by admins too. What was deleted is seen, when asked for, by its owner and by admins; a deleted
message by whoever sees its conversation, without content. The audit log and the workspace's
settings are seen by admins. E-mail and last sign-in of who left, or was added and never came in,
are seen by nobody else: the view tenant_users does not show them.

Admins change the workspace, and who is in it, up to their own role. Who sees a conversation may
find that they may not change it; who does not see it finds nothing. Participants say something and
mark it read; its owner and admins run it, and speak as the assistant and the system. A message is
edited by its author, deleted and restored by its author and admins. Members add documents; a
document is changed, deleted and restored by its owner and by admins.

A statement with a condition on conversations or on what was deleted takes the tenant as $1 and
the viewer's user as $2. An admin's conditions name $2 too: PostgreSQL must know its type.
"""

from uuid import UUID

from core.errors import Forbidden
from core.viewer import Identity, TenantRole, Viewer
from tables.engine import Row

# The viewer's own participation: what they have read, and whether they take part.
JOIN_ME = """LEFT JOIN participants me
    ON me.tenant_id = $1 AND me.conversation_id = c.id AND me.user_id = $2"""

# The viewer's own membership as it is now: who was removed a moment ago writes nothing more.
IS_MEMBER = "mine.tenant_id = $1 AND mine.user_id = $2 AND mine.is_active"
JOIN_MEMBERSHIP = f"JOIN memberships mine ON {IS_MEMBER}"

# What the viewer may do with a conversation `c`, joined by JOIN_ME and JOIN_MEMBERSHIP.
IS_ADMIN = "mine.role <> 'MEMBER'"
OWNS = "coalesce(c.owner_id = $2, false)"
TAKES_PART = "me.id IS NOT NULL"
STANDING = f"{IS_ADMIN} AS is_admin, {OWNS} AS owns, {TAKES_PART} AS takes_part"
REACHES = f"({IS_ADMIN} OR {TAKES_PART})"
REACHES_DELETED = f"{REACHES} AND ({IS_ADMIN} OR {OWNS})"


class Standing(Row):
    """Somebody in a conversation that they see."""

    is_admin: bool
    owns: bool
    takes_part: bool


def sees_conversation(viewer: Viewer) -> str:
    """A condition on conversations `c`, joined by JOIN_ME."""
    return "$2::uuid IS NOT NULL" if viewer.is_admin else "me.id IS NOT NULL"


ONE_BY_ONE = "OFFSET 0"
"""Ends a query that is asked for each row: never a join, which may first read all there is."""


def takes_part(user: str, end: str = ONE_BY_ONE) -> str:
    """A condition on conversations `c`, without JOIN_ME. `end` ends its query."""
    return f"""EXISTS (SELECT FROM participants p WHERE p.tenant_id = $1
        AND p.conversation_id = c.id AND p.user_id = {user} {end})"""


def sees_each(viewer: Viewer) -> str:
    """As `sees_conversation`, without JOIN_ME."""
    return "$2::uuid IS NOT NULL" if viewer.is_admin else takes_part("$2")


def sees_deleted(viewer: Viewer, alias: str, *, include_deleted: bool) -> str:
    """A condition on rows with an owner that can be deleted."""
    if not include_deleted:
        return f"{alias}.deleted_at IS NULL"
    if viewer.is_admin:
        return "$2::uuid IS NOT NULL"
    return f"({alias}.deleted_at IS NULL OR {alias}.owner_id = $2)"


def matches_person(viewer: Viewer) -> str:
    """A condition on people `u` for a search, with its pattern (or NULL) as $2. An e-mail is
    searched by who may see it: else it could be guessed letter by letter."""
    email = " OR u.email ILIKE $2" if viewer.is_admin else ""
    return f"($2::text IS NULL OR u.username ILIKE $2 OR u.full_name ILIKE $2{email})"


def sees_private(identity: Identity, user_id: UUID) -> bool:
    """Whether a person's e-mail and last sign-in may be shown."""
    is_admin = isinstance(identity, Viewer) and identity.is_admin
    return is_admin or identity.user_id == user_id


def require_rank(actor: Viewer, role: TenantRole) -> None:
    """Of whoever gives a role, or changes or removes who has it: admins, up to their own. Raises
    Forbidden."""
    require_admin(actor)
    if role.is_above(actor.role):
        raise Forbidden(f"Only an {role} may do this.")


def require_admin(viewer: Viewer) -> None:
    """Raises Forbidden for members."""
    if not viewer.is_admin:
        raise Forbidden("Only admins of the workspace may do this.")


def no_member() -> Forbidden:
    return Forbidden("You are no longer a member of this workspace.")


def require_charge(standing: Standing) -> None:
    """Of who runs a conversation. Raises Forbidden."""
    if not (standing.is_admin or standing.owns):
        raise Forbidden("Only the owner of the conversation and admins may do this.")


def require_part(standing: Standing) -> None:
    """Raises Forbidden for who only looks on."""
    if not standing.takes_part:
        raise Forbidden("Only participants of the conversation may do this.")


def require_author(viewer: Viewer, author_id: UUID | None) -> None:
    """Raises Forbidden."""
    if author_id != viewer.user_id:
        raise Forbidden("Only the author of the message may do this.")


def require_author_or_admin(viewer: Viewer, standing: Standing, author_id: UUID | None) -> None:
    """Raises Forbidden."""
    if not standing.is_admin:
        require_author(viewer, author_id)


def require_document_change(viewer: Viewer, owner_id: UUID | None, *, is_admin: bool) -> None:
    """Of whoever changes, deletes or restores a document that they see. Raises Forbidden."""
    if not is_admin and owner_id != viewer.user_id:
        raise Forbidden("Only its owner and admins may do this.")
