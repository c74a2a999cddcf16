"""Column kinds that Piccolo lacks. Migrations import them by name: never rename one."""

import re
import uuid
from typing import Any

from piccolo.columns import UUID, ForeignKey, Text
from piccolo.columns.defaults.uuid import UUID4
from uuid_utils.compat import uuid7


class UUID7(UUID4):
    """Time-ordered keys: new rows land on the last page of an index."""

    @property
    def postgres(self) -> str:
        return "uuidv7()"

    def python(self) -> uuid.UUID:
        return uuid7()


class KeyUUID(UUID):
    """Piccolo's primary key of a tenant table; the SQL one is (tenant_id, id)."""

    @property
    def column_type(self) -> str:
        return "UUID"

    @property
    def ddl(self) -> str:
        return super().ddl.replace(" PRIMARY KEY", "", 1)


class Reference(ForeignKey[Any]):
    """Orders the creation of tables. The SQL constraint is a ForeignKeyConstraint beside it,
    since only that one can be composite."""

    @property
    def ddl(self) -> str:
        return re.sub(r" REFERENCES .*? ON UPDATE [A-Z ]+?(?= DEFAULT|$)", "", super().ddl)


class SearchVector(Text):
    """Words with their places, made by a trigger."""

    @property
    def column_type(self) -> str:
        return "TSVECTOR"
