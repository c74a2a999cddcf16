from core.viewer import Identity, Viewer
from tables.engine import DB, Scope


def reading(who: Identity) -> Scope:
    """One snapshot for a whole query; begins with its first statement."""
    if isinstance(who, Viewer):
        return DB.tenant(who.tenant_id, read_only=True)
    return DB.identity(read_only=True)
