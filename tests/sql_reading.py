"""Reads the SQL in Python code: strings with what they are put together from."""

import ast
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
            yield owner, self._statement(string)

    def identity_statements(self) -> Iterator[str]:
        """What is asked outside of a tenant; "" for what cannot be read from here."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="fetch_identity"), args=[_, sql, *_]):
                    yield self._statement(sql)
                case ast.AsyncWith(items=items) if any(map(_is_identity, items)):
                    yield from map(self._statement, _asked(node))

    def _statement(self, node: ast.AST) -> str:
        return " ".join(self.text(node).split())

    def text(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> str:
        """What a string says, or what a constant or the results of a function say."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.FormattedValue(value=value):
                return self.text(value, seen) or UNKNOWN
            case ast.JoinedStr() | ast.BinOp():
                return "".join(self.text(part, seen) for part in ast.iter_child_nodes(node))
            case ast.IfExp(body=body, orelse=orelse):
                return " ".join(self.text(part, seen) for part in (body, orelse))
            case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name not in seen:
                return self._named(name, seen | {name})
        return ""

    def _named(self, name: str, seen: frozenset[str]) -> str:
        for node in self.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    return self.text(value, seen)
                case ast.FunctionDef(name=found) if found == name:
                    returned = (part for part in ast.walk(node) if isinstance(part, ast.Return))
                    return " ".join(self.text(part.value, seen) for part in returned if part.value)
                case ast.ImportFrom(module=str(module), names=names):
                    if name in {alias.name for alias in names} and module in self.others:
                        return self.others[module]._named(name, seen)
        return ""


def _is_identity(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and ast.unparse(call.func).endswith("DB.identity")


def _asked(block: ast.AsyncWith) -> Iterator[ast.AST]:
    for node in ast.walk(block):
        match node:
            case ast.Call(func=ast.Attribute(attr="fetch"), args=[_, sql, *_]):
                yield sql
            case ast.Call(func=ast.Attribute(attr="execute"), args=[sql, *_]):
                yield sql


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
