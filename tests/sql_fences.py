"""Reads in SQL whose rows a statement means. What it cannot follow counts as no condition."""

import re
from collections.abc import Iterator

from tests.sql_reading import UNKNOWN

I = re.IGNORECASE  # noqa: E741
NO_ALIAS = (
    "ON|SET|WHERE|USING|GROUP|VALUES|SELECT|ORDER|LEFT|RIGHT|FULL|INNER|JOIN|CROSS|AS|LIMIT|UNION"
    "|RETURNING|FOR|DEFAULT"
)
REFERENCE = re.compile(
    r"(\bFROM|\bJOIN|\bUPDATE|\bINTO|\bUSING|,)\s+(?:ONLY\s+)?(?:\"?public\"?\.)?\"?(\w+)\"?"
    rf"(?:\s+(?:AS\s+)?(?!(?:{NO_ALIAS})\b)(\w+))?",
    I,
)
# Prose has tables after "from" and commas, too.
SQL = re.compile(r"\b(FROM|JOIN|UPDATE|INTO|USING)\b|(?i:\b(SELECT|INSERT|DELETE|UPDATE.*SET)\b)")
CLAUSE = re.compile(
    r"\b(SELECT|FROM|WHERE|ON|SET|JOIN|LEFT|RIGHT|FULL|INNER|CROSS|GROUP|ORDER|HAVING|LIMIT|FOR|UNION"
    r"|EXCEPT|INTERSECT|RETURNING|VALUES|WHEN|THEN)\b|;",
    I,
)
OUTER_JOIN = re.compile(r"\b(?:LEFT|RIGHT|FULL)\b(?:\s+OUTER)?\s+JOIN\s+([\w\s.\"]*)$", I)
BETWEEN_STATEMENTS = re.compile(r"\b(UNION|EXCEPT|INTERSECT)\b|;", I)
PERSON = re.compile(r"(?<![\w.])(?:\w+\.)?user_id = \$\d+|(?<![\w.])u\.id = \$1(?!\d)", I)


def unfenced(sql: str, tables: set[str]) -> list[str]:
    """Tenant tables that a statement names without saying which tenant's rows it means."""
    if not SQL.search(sql):
        return []
    return [
        reference[2]
        for reference in REFERENCE.finditer(sql)
        if reference[2].lower() in (tables if reference[1] == "," else {*tables, UNKNOWN})
        and not _is_fenced(sql, reference)
    ]


def of_nobody(sql: str) -> bool:
    """Whether a statement reads rows without saying which person's."""
    return sql == "" or (
        REFERENCE.search(sql) is not None
        and not any(_level(sql, found, "") == -1 for found in PERSON.finditer(sql))
    )


def _is_fenced(sql: str, reference: re.Match[str]) -> bool:
    verb, table, alias = reference.groups()
    if verb.upper() == "INTO":
        values = rf"INTO (?:public\.)?{table} (?:AS \w+ )?\(tenant_id,.*?(VALUES \(|SELECT )\$1\b"
        return re.search(values, sql, I) is not None
    inside = _enclosing(sql, reference.start())[0]
    return any(
        _level(sql, condition, alias or table) == inside
        and not BETWEEN_STATEMENTS.search(_flat(_between(sql, reference, condition)))
        for condition in _conditions(sql, table, alias)
    )


def _between(sql: str, one: re.Match[str], other: re.Match[str]) -> str:
    start, end = sorted([one.end(), other.end()])
    return sql[start:end]


def _conditions(sql: str, table: str, alias: str | None) -> Iterator[re.Match[str]]:
    key = "id" if table.lower() == "tenants" else "tenant_id"
    bare = "" if alias else "?"  # without an alias the column may stand alone
    return re.finditer(rf"(?<![\w.])(?:{alias or table}\.){bare}{key} = \$1(?!\d)", sql, I)


def _level(sql: str, condition: re.Match[str], name: str) -> int | None:
    """Where the query begins that has this condition, required, in its WHERE or the ON of a join;
    None when it is negated, an alternative, no condition, or in an outer join of others."""
    start, end = condition.span()
    while True:
        opening, closing = _enclosing(sql, start)
        before, after = _flat(sql[opening + 1 : start]), _flat(sql[end:closing])
        clause = _last(CLAUSE, before)
        own = before[clause.end() :] if clause else before
        rest = CLAUSE.split(after)[0]
        if not re.search(r"(^|\bAND)\s*$", own, I) or not re.match(r"\s*(AND\b|$)", rest, I):
            return None
        if re.search(r"\bOR\b", own + rest, I):
            return None
        if clause:
            return opening if _binds(before, clause, name) else None
        if opening < 0:
            return None
        start, end = opening, closing + 1


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text):  # noqa: B007
        pass
    return found


def _binds(before: str, clause: re.Match[str], name: str) -> bool:
    if clause[0].upper() == "ON":
        joined = OUTER_JOIN.search(before[: clause.start()])
        return not joined or name.lower() in joined[1].lower().split()
    return clause[0].upper() == "WHERE"


def _enclosing(sql: str, position: int) -> tuple[int, int]:
    """The parentheses around a position; -1 and the end when there are none."""
    return _unmatched(sql[:position], "()", -1), _closing(sql, position)


def _unmatched(before: str, pair: str, step: int) -> int:
    depth = 0
    for index in range(len(before))[::step]:
        depth += (before[index] == pair[1]) - (before[index] == pair[0])
        if depth < 0:
            return index
    return -1


def _closing(sql: str, position: int) -> int:
    found = _unmatched(sql[position:], ")(", 1)
    return len(sql) if found < 0 else position + found


def _flat(sql: str) -> str:
    """Without what stands in parentheses."""
    while (flat := re.sub(r"\([^()]*\)", "", sql)) != sql:
        sql = flat
    return sql
