"""Making a workspace, and changing it."""

import re
import secrets
import unicodedata
from typing import Any
from uuid import UUID

from pydantic import Field

from core.errors import Conflict
from core.viewer import Caller, Identity, TenantRole, Viewer
from resolvers.access import require_admin
from resolvers.audit_event import record
from resolvers.membership_management import locked_actor
from resolvers.search_language import refusing_slow_renewal, require_language
from resolvers.services import Services
from resolvers.session import make_home
from resolvers.tenant import TenantRow, own_tenants_by_id, tenants_by_id
from resolvers.validation import MAX_SLUG, UUID_LIKE, Input, JSONObject, Name, Slug, validated
from tables.engine import DB, IdRow

SUFFIX_BYTES = 4


class NewTenant(Input):
    name: Name
    slug: Slug | None = None


class TenantChanges(Input):
    name: Name = ""
    settings: JSONObject = Field(default_factory=dict)


async def create_tenant(
    services: Services, identity: Identity, caller: Caller, name: str, slug: str | None = None
) -> TenantRow:
    """Whoever makes it owns it. Without a slug it gets one from its name. Raises BadInput,
    Conflict, RateLimited."""
    limit = services.settings.limit_create_tenant
    await services.limits.take(limit, "create_tenant", str(identity.user_id))
    tenant = validated(NewTenant, name=name, slug=slug)
    async with DB.identity():
        id = await add_tenant(identity.user_id, caller, tenant.name, tenant.slug)
        await make_home(identity, id)
        (row,) = await own_tenants_by_id(identity, [id])
    assert row is not None
    return row


async def add_tenant(user_id: UUID, caller: Caller, name: str, slug: str | None = None) -> UUID:
    """In the caller's identity scope. Raises Conflict for a slug that is taken."""
    id = await _insert(slug or slug_of(name), name)
    if id is None and slug is None:
        id = await _insert(f"{slug_of(name)}-{secrets.token_hex(SUFFIX_BYTES)}", name)
    if id is None:
        raise Conflict("The slug is taken.", ("slug",))
    await DB.execute(
        "INSERT INTO memberships (tenant_id, user_id, role) VALUES ($1, $2, $3)",
        id,
        user_id,
        TenantRole.OWNER,
    )
    await record(id, user_id, caller, "tenant.created", ("Tenant", id), name=name)
    return id


async def _insert(slug: str, name: str) -> UUID | None:
    rows = await DB.fetch(
        IdRow,
        """INSERT INTO tenants (slug, name) VALUES ($1, $2)
        ON CONFLICT (slug) DO NOTHING RETURNING id""",
        slug,
        name,
    )
    return rows[0].id if rows else None


def slug_of(name: str) -> str:
    """With room for a suffix."""
    ascii = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", ascii)[: MAX_SLUG - 2 * SUFFIX_BYTES - 1].strip("-")
    if not slug or UUID_LIKE.fullmatch(slug.replace("-", "")):
        return "workspace"
    return slug


async def update_tenant(viewer: Viewer, caller: Caller, **changes: Any) -> TenantRow:
    """Changes what is given: `name`, `settings`. Of admins. Raises BadInput, Forbidden, Conflict
    for another language of a workspace that is too large."""
    require_admin(viewer)
    given = validated(TenantChanges, **changes)
    require_language(given.settings)
    async with DB.tenant(viewer.tenant_id):
        require_admin(await locked_actor(viewer))
        (before,) = await tenants_by_id(viewer, [viewer.tenant_id])
        assert before is not None
        with refusing_slow_renewal(before.settings, changes.get("settings", before.settings)):
            await _update(viewer, given)
        (after,) = await tenants_by_id(viewer, [viewer.tenant_id])
        assert after is not None
        await _record_changes(viewer, caller, before, after)
    return after


async def _update(viewer: Viewer, given: TenantChanges) -> None:
    await DB.execute(
        """UPDATE tenants t SET name = CASE WHEN $2 THEN $3 ELSE t.name END,
        settings = CASE WHEN $4 THEN $5 ELSE t.settings END WHERE t.id = $1""",
        viewer.tenant_id,
        "name" in given.model_fields_set,
        given.name,
        "settings" in given.model_fields_set,
        given.settings,
    )


async def _record_changes(
    viewer: Viewer, caller: Caller, before: TenantRow, after: TenantRow
) -> None:
    """Of settings their keys only: a value may be a secret, and the log is for ever."""
    details: dict[str, object] = {}
    if before.name != after.name:
        details["name"] = [before.name, after.name]
    keys = before.settings.keys() | after.settings.keys()
    if changed := sorted(k for k in keys if before.settings.get(k) != after.settings.get(k)):
        details["settings"] = changed
    if details:
        await record(
            viewer.tenant_id,
            viewer.user_id,
            caller,
            "tenant.updated",
            ("Tenant", viewer.tenant_id),
            **details,
        )
