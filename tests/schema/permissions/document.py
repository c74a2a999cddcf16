"""docs/permissions.md: its tables, read and written."""

from collections.abc import Iterable, Mapping

from core.settings import CHECKOUT
from tests.schema.permissions.stage import ROLES

PATH = CHECKOUT / "docs" / "permissions.md"
COLUMNS = ("field", "of", *ROLES)
Table = Mapping[tuple[str, str], tuple[str, ...]]
"""By field and whose it is: a cell for each role."""


def documented() -> dict[str, Table]:
    """By type."""
    tables: dict[str, Table] = {}
    for section in PATH.read_text().split("\n## ")[1:]:
        heading, *lines = section.splitlines()
        rows = [_cells(line) for line in lines if line.startswith("|")]
        if rows:
            assert rows[0] == COLUMNS, heading
            tables[heading.strip("` ")] = _table(rows[2:])
    return tables


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.replace("`", "").strip("| ").split("|"))


def _table(rows: Iterable[tuple[str, ...]]) -> Table:
    """A row may be of several fields, and of several cases."""
    table: dict[tuple[str, str], tuple[str, ...]] = {}
    for fields, cases, *cells in rows:
        for field in fields.split(", "):
            for case in cases.split("; "):
                assert (field, case) not in table, f"{field} of {case} has two rows"
                assert len(cells) == len(ROLES), f"{field} of {case} lacks cells"
                table[field, case] = tuple(cells)
    return table


def differences(said: Table, observed: Table) -> list[str]:
    """What the document should say."""
    found = [f"there is no {_name(*row)}" for row in said if row not in observed]
    for (field, case), cells in observed.items():
        for role, says, is_ in zip(ROLES, said.get((field, case), [""] * 6), cells, strict=True):
            if says != is_:
                found.append(f"{_name(field, case)}, {role}: {is_}, not {says or 'in the table'}")
    return found


def _name(field: str, case: str) -> str:
    return f"{field} ({case})" if case else field


def written(table: Table) -> str:
    """As Markdown. Fields, and then cases, of which the same is said share a row."""
    fields: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (field, case), cells in table.items():
        fields.setdefault((case, cells), []).append(field)
    cases: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (case, cells), names in fields.items():
        cases.setdefault((", ".join(f"`{name}`" for name in names), cells), []).append(case)
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    rows += [(names, "; ".join(of), *cells) for (names, cells), of in cases.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
