"""Reads the SQL in Python code: strings with what they are put together from."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

UNKNOWN = "unknown"
"""Stands for what cannot be known from here: a condition in it does not count."""

ROOT = Path(__file__).parent.parent
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """`others` are the modules that it may take strings from, by dotted name."""

    name: str
    tree: ast.Module
    others: dict[str, "Module"] = field(default_factory=dict)

    def statements(self) -> Iterator[tuple[str, str]]:
        """Each string, put together, with the function that it stands in."""
        for owner, string in _outermost(self.tree, "module"):
            yield owner, " ".join(self.text(string).split())

    def text(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> str:
        """What a string says, or what the strings of a function or a constant say."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=parts):
                return "".join(self.text(part, seen) for part in parts)
            case ast.FormattedValue(value=value):
                return self.text(value, seen) or UNKNOWN
            case ast.BinOp(left=left, right=right):
                return self.text(left, seen) + self.text(right, seen)
            case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name not in seen:
                return self._named(name, seen | {name})
        return ""

    def _named(self, name: str, seen: frozenset[str]) -> str:
        for node in self.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return self.text(value, seen)
                case ast.FunctionDef(name=found) if found == name:
                    strings = (string for _, string in _outermost(node, name))
                    return " ".join(self.text(string, seen) for string in strings)
                case ast.ImportFrom(module=str(module), names=names):
                    if name in {alias.name for alias in names} and module in self.others:
                        return self.others[module]._named(name, seen)
        return ""


def _outermost(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr | ast.Constant):
            if isinstance(child, ast.JoinedStr) or isinstance(child.value, str):
                yield owner, child
        elif isinstance(child, ast.BinOp) and isinstance(child.op, ast.Add):
            yield owner, child
        elif not _is_docstring(child):
            inside = f"{owner}.{child.name}" if isinstance(child, Function) else owner
            yield from _outermost(child, inside)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def modules(*folders: str) -> list[Module]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert paths
    found = {
        name: Module(name, ast.parse(path.read_text()))
        for path in paths
        for name in [".".join(path.relative_to(ROOT).with_suffix("").parts)]
    }
    for module in found.values():
        module.others = found
    return list(found.values())


REFERENCE = re.compile(
    r"(\bFROM|\bJOIN|\bUPDATE|\bINTO|,)\s+(\w+)(?:\s+(?:AS\s+)?(?!ON\b|SET\b|WHERE\b|USING\b|GROUP\b"
    r"|VALUES\b|SELECT\b|ORDER\b|LEFT\b|JOIN\b|CROSS\b|AS\b)(\w+))?"
)


def unfenced(sql: str, tables: set[str]) -> list[str]:
    """Tenant tables that a statement names without saying which tenant's rows it means."""
    return [
        table
        for verb, table, alias in REFERENCE.findall(sql)
        if table in (tables if verb == "," else {*tables, UNKNOWN})
        and not _is_fenced(sql, verb, table, alias)
    ]


def _is_fenced(sql: str, verb: str, table: str, alias: str) -> bool:
    if verb == "INTO":
        return re.search(rf"INTO {table} \(tenant_id,.*?(VALUES \(|SELECT )\$1\b", sql) is not None
    key = "id" if table == "tenants" else "tenant_id"
    name = re.escape(f"{alias or table}.")
    named = rf"\b{name}{key} = \$1(?!\d)"
    bare = rf"(?<![\w.]){key} = \$1(?!\d)"
    return re.search(named if alias else rf"{named}|{bare}", sql) is not None
