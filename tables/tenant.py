from piccolo.columns import JSONB, Text
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from tables.base import Global, Times
from tables.columns import UUID7, KeyUUID, Reference
from tables.constraints import ForeignKeyConstraint, PrimaryKeyConstraint
from tables.engine import DB


class Tenant(Times, Global, Table, tablename="tenants"):
    slug = Text()
    name = Text()
    settings = JSONB(default="{}")

    tenants_slug_key = Unique(["slug"])
    # A slug that reads as a UUID could pass for another tenant's id in X-Tenant. Python reads one
    # with hyphens anywhere, and behind 0x.
    tenants_slug_check = Check(
        "slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' AND length(slug) <= 63"
        " AND replace(slug, '-', '') !~ '^(0x|[0-9a-f]{2})[0-9a-f]{30}$'"
    )
    tenants_name_check = Check("length(name) BETWEEN 1 AND 200")


class InTenant:
    """A table of one tenant's rows: keyed by (tenant_id, id), gone with its tenant."""

    tenant_id = Reference(Tenant, null=False)
    id = KeyUUID(primary_key=True, default=UUID7())

    def __init_subclass__(cls, tablename: str) -> None:
        keys = {
            f"{tablename}_pkey": PrimaryKeyConstraint(["tenant_id", "id"]),
            f"{tablename}_tenant_fkey": ForeignKeyConstraint(["tenant_id"], "tenants", ["id"]),
        }
        for name, constraint in keys.items():
            setattr(cls, name, constraint)
        super().__init_subclass__(tablename=tablename, db=DB)  # type: ignore[call-arg]
