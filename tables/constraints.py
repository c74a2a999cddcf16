"""Constraints that Piccolo lacks. Migrations import them by name: never rename one."""

from typing import Literal

from piccolo.constraints import Constraint


def _quoted(columns: list[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


class PrimaryKeyConstraint(Constraint):
    def __init__(self, columns: list[str], name: str | None = None) -> None:
        self.columns = columns
        super().__init__(name=name, columns=columns)

    def serialise_self(self) -> None: ...

    @property
    def ddl(self) -> str:
        return f"PRIMARY KEY ({_quoted(self.columns)})"

    def _table_str(self) -> str:
        return f"{self._meta._name} = PrimaryKeyConstraint({self.columns!r})"


class ForeignKeyConstraint(Constraint):
    """Referential checks bypass row-level security, so between tenant tables the tenant must be
    part of the key: otherwise a row could point at another tenant's row."""

    def __init__(
        self,
        columns: list[str],
        references: str,
        target_columns: list[str],
        on_delete: Literal["CASCADE", "SET NULL"] = "CASCADE",
        name: str | None = None,
    ) -> None:
        self.columns = columns
        self.references = references
        self.target_columns = target_columns
        self.on_delete = on_delete
        super().__init__(
            name=name,
            columns=columns,
            references=references,
            target_columns=target_columns,
            on_delete=on_delete,
        )

    def serialise_self(self) -> None: ...

    @property
    def ddl(self) -> str:
        return (
            f'FOREIGN KEY ({_quoted(self.columns)}) REFERENCES "{self.references}" '
            f"({_quoted(self.target_columns)}) ON DELETE {self.on_delete}"
        )

    def _table_str(self) -> str:
        return (
            f"{self._meta._name} = ForeignKeyConstraint({self.columns!r}, {self.references!r}, "
            f"{self.target_columns!r}, {self.on_delete!r})"
        )
