from piccolo.columns import JSONB, Array, Bytea, Integer, Text
from piccolo.constraints import Unique
from piccolo.table import Table

from tables.base import SoftDelete, Times
from tables.columns import Reference, TSVector
from tables.constraints import ForeignKeyConstraint
from tables.tenant import InTenant
from tables.user import User


class Document(SoftDelete, Times, InTenant, Table, tablename="documents"):
    owner_id = Reference(User)
    filename = Text()
    content_type = Text()
    size = Integer(help_text="Bytes of content.")
    content = Text(null=True, default=None)
    metadata = JSONB(default="{}")
    tags = Array(base_column=Text(), default=list)
    idempotency_key = Text(null=True, default=None, help_text="Of the owner, for a retry.")
    request_digest = Bytea(null=True, default=None, help_text="Of what came with the key.")
    words = TSVector(null=True, default=None, help_text="Of filename and content, by a trigger.")
    source_id = Text(null=True, default=None, help_text="Key in the system imported from.")

    documents_source_id_key = Unique(["tenant_id", "source_id"])
    documents_owner_fkey = ForeignKeyConstraint(["owner_id"], "users", ["id"], "SET NULL")
