"""Resolvers and loads are given what graphql-core and Strawberry give them."""

from typing import Any, ClassVar, NewType

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.extensions import FieldExtension
from strawberry.relay import GlobalID
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from execution.batched import Batched
from execution.documents import Documents
from execution.executor import CompiledExecutor
from execution.schema import PlannedSchema
from schema.pagination import argument
from tests.execution.torture_rows import Color

strawberry.enum(Color)
Words = NewType("Words", str)


class Executor(CompiledExecutor):
    documents: ClassVar[Documents] = Documents(256)

    @classmethod
    def compiles_after(cls, _: object) -> int:
        return 0

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        assert fallback is None


@strawberry.input
class Inner:
    word: str
    color: Color = Color.RED
    inner: "Inner | None" = None


@strawberry.input
class Outer:
    inner: Inner
    inners: list[Inner] | None = strawberry.UNSET
    numbers: list[int] = strawberry.field(default_factory=lambda: [1, 2])
    plain: str | None


@strawberry.input
class Patch:
    inner: Inner | None
    word: strawberry.Maybe[str]


@strawberry.input(one_of=True)
class Either:
    one: int | None = strawberry.UNSET
    other: str | None = strawberry.UNSET


class Adds(FieldExtension):
    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {"n": kwargs["n"] + 1}


class Watches(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Any, **arguments: Any) -> str:
        return f"{sorted(arguments)} {next_(source, info, **arguments)}"


class Echo(Batched):
    def apply(self, field: Any) -> None:
        field.arguments = [
            argument("size", int, None, 3),
            argument("by", Either | None, None, None),
        ]

    async def load(self, context: Any, keys: list[Any], arguments: dict[str, Any]) -> list[Any]:
        return [f"{key} {sorted(arguments.items())}" for key in keys]


@strawberry.type
class Thing:
    n: int
    echo: str = strawberry.field(extensions=[Echo("n")])


@strawberry.type
class Query:
    @strawberry.field
    def scalars(
        self, a: int, b: str | None = "b", c: float | None = strawberry.UNSET, d: Color = Color.BLUE
    ) -> str:
        return f"{a!r} {b!r} {c!r} {d!r}"

    @strawberry.field
    def inputs(self, of: Outer, either: Either | None = None) -> str:
        return f"{of} {either}"

    @strawberry.field
    def lists(
        self, numbers: list[int | None] | None = None, grid: list[list[int]] | None = None
    ) -> str:
        return f"{numbers} {grid}"

    @strawberry.field
    def patched(self, patch: Patch | None = None, n: int = 1) -> str:
        return f"{patch} {n}"

    @strawberry.field
    def patched_too(self, patch: Patch) -> str:
        return f"{patch}"

    @strawberry.field
    def identified(self, id: GlobalID) -> str:
        return repr(id)

    @strawberry.field
    def kept(self, words: list[str] = ["w"], data: JSON | None = None) -> str:  # noqa: B006
        told = f"{words} {data}"
        words.append("changed")
        given: Any = data
        if isinstance(given, dict):
            given["changed"] = True
        return told

    @strawberry.field
    def split(self, words: Words) -> str:
        words.append("changed")  # type: ignore[attr-defined]
        return f"{words}"

    @strawberry.field(graphql_type=int, extensions=[Adds()])
    def reshaped(self, n: int) -> int:
        return n

    @strawberry.field(graphql_type=str, extensions=[Watches()])
    def watched(self, root: Any, info: strawberry.Info, n: int = 2) -> str:
        return f"{root} {info.field_name} {n}"

    @strawberry.field(graphql_type=str, extensions=[Watches()])
    def watched_otherwise(self, about: strawberry.Info, n: int = 2) -> str:
        return f"{about.field_name} {n}"

    @strawberry.field
    def things(self) -> list[Thing]:
        return [Thing(n=n, echo="") for n in range(2)]


class Quiet(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        pass


class Planned(Quiet, PlannedSchema): ...


SCALARS: dict[object, Any] = {
    Words: strawberry.scalar(name="Words", serialize=str, parse_value=str.split)
}
CONFIG = StrawberryConfig(scalar_map=SCALARS)
stock = Quiet(Query, config=CONFIG)
compiled = Planned(Query, config=CONFIG, execution_context_class=Executor)

ASKED: list[tuple[str, dict[str, Any]]] = [
    ("{ scalars(a: 1) }", {}),
    ('{ scalars(a: 1, b: null, c: 2, d: GREEN) again: scalars(a: -5, b: "x") }', {}),
    ("query ($a: Int!, $b: String) { scalars(a: $a, b: $b) }", {"a": 7}),
    ("query ($a: Int!, $b: String) { scalars(a: $a, b: $b) }", {"a": 7, "b": None}),
    ("query ($a: Int = 3, $d: Color = RED) { scalars(a: $a, d: $d) }", {}),
    ("query ($a: Int = 3, $d: Color = RED) { scalars(a: $a, d: $d) }", {"a": None}),
    ("query ($a: Int = 3, $d: Color = RED) { scalars(a: $a, d: $d) }", {"d": None}),
    ("query ($d: Color) { scalars(a: 1, d: $d) }", {}),
    ('{ inputs(of: {inner: {word: "x"}, plain: null}) }', {}),
    (
        "query ($w: String!) { inputs(of: {inner: {word: $w}, numbers: 5}, either: {one: 1}) }",
        {"w": "v"},
    ),
    ('query ($w: String) { inputs(of: {inner: {word: "x"}, plain: $w}) }', {}),
    ('query ($n: Int) { inputs(of: {inner: {word: "x"}}, either: {one: $n}) }', {"n": None}),
    (
        "query ($of: Outer!) { inputs(of: $of) }",
        {
            "of": {
                "inner": {"word": "a", "inner": {"word": "b", "color": "BLUE"}},
                "inners": [{"word": "c"}],
            }
        },
    ),
    (
        "query ($of: Outer!, $e: Either) { inputs(of: $of, either: $e) }",
        {"of": {"inner": {"word": ""}}, "e": None},
    ),
    ("{ lists(numbers: [1, null], grid: [[1], []]) other: lists(numbers: 4, grid: null) }", {}),
    ("query ($n: Int) { lists(numbers: [$n, 2], grid: [[1]]) }", {}),
    ("query ($n: [Int]) { lists(numbers: $n) }", {"n": [3, None]}),
    ("query ($n: [Int]) { lists(numbers: $n) }", {"n": 3}),
    ('{ patched(patch: {word: "x"}) other: patched(patch: {inner: {word: "y"}}, n: 4) }', {}),
    ("query ($p: Patch) { patched(patch: $p) }", {"p": {"word": "z"}}),
    ('{ patched(patch: {word: "x"}) patchedToo(patch: {word: "y"}) }', {}),
    ('{ identified(id: "VXNlcjox") }', {}),
    ('{ identified(id: "nonsense") }', {}),
    ("{ kept one: kept(data: 1) two: kept(data: {a: [1]}) }", {}),
    ("query ($d: JSON) { kept(data: {a: $d}) }", {"d": 1}),
    ('{ split(words: "a b") }', {}),
    ("{ reshaped(n: 1) watched watchedOtherwise(n: 3) }", {}),
    ("query ($n: Int!) { reshaped(n: $n) watched(n: $n) watchedOtherwise(n: $n) }", {"n": 9}),
    ("{ things { echo a: echo(size: 9, by: {one: 1}) } }", {}),
    (
        "query ($size: Int!, $o: String) { things { echo(size: $size, by: {other: $o}) } }",
        {"size": 2, "o": "x"},
    ),
    (
        "query ($size: Int, $o: String) { things { echo(size: $size, by: {other: $o}) } }",
        {"o": None},
    ),
]


@pytest.mark.parametrize(("text", "variables"), ASKED)
async def test_arguments(text: str, variables: dict[str, Any]) -> None:
    for _ in range(2):  # a plan is used again
        await compare(text, variables)


async def test_a_plan_keeps_nothing_of_a_request() -> None:
    text = "query ($b: String, $d: Color) { scalars(a: 1, b: $b, d: $d) }"
    for variables in ({}, {"b": "x"}, {"d": "RED"}, {"b": None}, {}):
        await compare(text, variables)


async def compare(text: str, variables: dict[str, Any]) -> None:
    theirs = await stock.execute(text, variables)
    ours = await compiled.execute(text, variables)
    assert isinstance(theirs, ExecutionResult)
    assert isinstance(ours, ExecutionResult)
    assert ours.data == theirs.data
    assert str(ours.errors) == str(theirs.errors)
