"""That a conversation, or something in it, has changed: what wakes its readers."""

from uuid import UUID

from core.viewer import Viewer
from tables.engine import DB


def conversation_key(tenant_id: UUID, id: UUID) -> str:
    """As the triggers of `conversations` and `participants` note it."""
    return f"conversation:{tenant_id}:{id}"


def conversation_of(key: str) -> tuple[UUID | None, UUID | None]:
    """The workspace and the conversation; of what is no key, none."""
    try:
        _, tenant_id, id = key.split(":")
        return UUID(tenant_id), UUID(id)
    except ValueError:
        return None, None


def tell_change(viewer: Viewer, id: UUID) -> None:
    """Once the current scope is committed."""
    DB.note_change(conversation_key(viewer.tenant_id, id))
