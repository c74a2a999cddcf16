"""What GraphQL promises of an execution, by levels too."""

import asyncio
from copy import copy
from typing import Any, ClassVar, Self

import pytest
import strawberry
from strawberry.types import ExecutionResult

from execution.batched import Batched, LooksAhead
from execution.documents import Documents
from execution.executor import CompiledExecutor
from execution.position import Position
from execution.schema import PlannedSchema


class Executor(CompiledExecutor):
    documents: ClassVar[Documents] = Documents(64)
    fallbacks: ClassVar[list[str | None]] = []

    @classmethod
    def compiles_after(cls, _: object) -> int:
        return 0

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        cls.fallbacks.append(fallback)


class Children(Batched):
    async def load(self, context: "Log", keys: list[Any], arguments: dict[str, Any]) -> list[Any]:
        context.append(f"load {keys}")
        return [[Node(n=10 * key + i, children=[]) for i in range(2)] for key in keys]


class Log(list[str]):
    """The context: what happened, in order."""


class Seeing(LooksAhead):
    """Logs what is asked below."""

    below = "unknown"

    def looking_ahead(self, position: Position) -> Self:
        seeing = copy(self)
        seeing.below = ", ".join(
            f"{selection.type}.{field.name}"
            for selection in position.selections
            for field in selection.fields
        )
        return seeing

    async def resolve_async(
        self, next_: Any, source: Any, info: strawberry.Info[Log, None], **arguments: Any
    ) -> Any:
        info.context.append(f"below: {self.below}")
        return await next_(source, info, **arguments)


Info = strawberry.Info[Log, None]


@strawberry.type
class Node:
    n: int
    children: "list[Node]" = strawberry.field(extensions=[Children("n")])

    @strawberry.field
    async def waits(self, info: Info) -> int:
        info.context.append(f"begin {self.n}")
        await asyncio.sleep(0)
        info.context.append(f"end {self.n}")
        return self.n

    @strawberry.field
    async def hangs(self, info: Info) -> int:
        info.context.append(f"begin {self.n}")
        try:
            await asyncio.sleep(60)
        finally:
            info.context.append(f"cancelled {self.n}")
        return self.n

    @strawberry.field
    def again(self) -> "Node":
        return self

    @strawberry.field
    def fails(self) -> int:
        raise ValueError(f"no {self.n}")

    @strawberry.field
    async def fails_later(self) -> int | None:
        await asyncio.sleep(0)
        raise ValueError(f"not yet {self.n}")


async def see() -> Node:
    return Node(n=1, children=[])


@strawberry.type
class Query:
    @strawberry.field
    def nodes(self, n: int = 3) -> list[Node]:
        return [Node(n=i, children=[]) for i in range(n)]

    @strawberry.field
    def node(self, n: int = 1) -> Node | None:
        return Node(n=n, children=[])

    seen: Node = strawberry.field(resolver=see, extensions=[Seeing()])

    @strawberry.field
    def maybe(self) -> list[Node | None]:
        return [Node(n=1, children=[]), None]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, info: Info, n: int) -> Node:
        info.context.append(f"add {n}")
        await asyncio.sleep(0)
        info.context.append(f"added {n}")
        return Node(n=n, children=[])

    @strawberry.mutation
    async def refuse(self) -> int:
        raise ValueError("refused")


class Quiet(PlannedSchema):
    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        pass


schema = Quiet(Query, Mutation, execution_context_class=Executor)


async def ask(text: str, log: Log | None = None, **variables: Any) -> ExecutionResult:
    Executor.fallbacks.clear()
    answer = await schema.execute(text, variables, Log() if log is None else log)
    assert Executor.fallbacks == [None]
    assert isinstance(answer, ExecutionResult)
    return answer


def told(answer: ExecutionResult) -> list[tuple[list[str | int] | None, str]]:
    return [(error.path, error.message) for error in answer.errors or ()]


async def test_a_level_is_one_load() -> None:
    log = Log()
    answer = await ask("{ nodes { children { n children { n } } } }", log)
    assert log == ["load [0, 1, 2]", "load [0, 1, 10, 11, 20, 21]"]
    assert answer.data is not None
    assert answer.data["nodes"][2]["children"][1] == {"n": 21, "children": [{"n": 210}, {"n": 211}]}


async def test_what_is_asked_below_a_field_is_told_to_it() -> None:
    log = Log()
    await ask("{ seen { n } nodes { children { n } } }", log)
    assert log == ["below: Node.n", "load [0, 1, 2]"]
    log.clear()
    fragment = "fragment More on Node { a: again { n } children { n } }"
    await ask(f"{{ seen {{ ...More }} other: seen {{ again {{ n }} }} }} {fragment}", log)
    assert log[:2] == ["below: Node.again, Node.children", "below: Node.again"]


async def test_a_level_waits_for_all_at_once() -> None:
    log = Log()
    await ask("{ nodes { waits } node(n: 7) { waits } }", log)
    assert log == [*(f"begin {n}" for n in (0, 1, 2, 7)), *(f"end {n}" for n in (0, 1, 2, 7))]


async def test_what_objects_have_themselves_is_no_level() -> None:
    log = Log()
    await ask("{ nodes(n: 2) { again { again { waits } } } node(n: 7) { waits } }", log)
    assert sorted(log[:3]) == [f"begin {n}" for n in (0, 1, 7)]


async def test_mutations_are_serial_with_all_below_them() -> None:
    log = Log()
    text = "mutation { a: add(n: 1) { waits } b: add(n: 2) { waits } }"
    answer = await ask(text, log)
    one, two = ([f"add {n}", f"added {n}", f"begin {n}", f"end {n}"] for n in (1, 2))
    assert log == one + two
    assert answer.data == {"a": {"waits": 1}, "b": {"waits": 2}}


async def test_a_mutation_that_fails_ends_the_others_when_it_must_not_be_null() -> None:
    log = Log()
    answer = await ask("mutation { a: add(n: 1) { n } refuse b: add(n: 2) { n } }", log)
    assert answer.data is None
    assert told(answer) == [(["refuse"], "refused")]
    assert log == ["add 1", "added 1"]


async def test_null_goes_up_to_what_may_be_null() -> None:
    answer = await ask("{ maybe { n fails } node { children { fails } } }")
    assert answer.data == {"maybe": [None, None], "node": None}
    assert (["maybe", 0, "fails"], "no 1") in told(answer)
    assert (["node", "children", 0, "fails"], "no 10") in told(answer)
    answer = await ask("{ nodes { fails } }")
    assert answer.data is None
    assert (["nodes", 0, "fails"], "no 0") in told(answer)


async def test_errors_say_where() -> None:
    answer = await ask("{ nodes { n a: failsLater } }")
    assert answer.data == {"nodes": [{"n": n, "a": None} for n in range(3)]}
    assert told(answer) == [(["nodes", n, "a"], f"not yet {n}") for n in range(3)]
    assert answer.errors
    assert [(at.line, at.column) for at in answer.errors[0].locations or ()] == [(1, 13)]


async def test_fields_stand_in_the_order_of_the_document() -> None:
    answer = await ask(
        "{ node { b: waits a: n __typename ...F a: n } } fragment F on Node { c: n b: waits }"
    )
    assert answer.data
    assert list(answer.data["node"]) == ["b", "a", "__typename", "c"]


async def test_names_that_are_pythons() -> None:
    text = "{ node { class: n None: n __class__: n v0: n columns: n } }"
    answer = await ask(text)
    names = ("class", "None", "__class__", "v0", "columns")
    assert answer.data == {"node": dict.fromkeys(names, 1)}


async def test_who_cancels_cancels_all_that_is_awaited() -> None:
    log = Log()
    asking = asyncio.create_task(ask("{ nodes { hangs } node(n: 7) { hangs } }", log))
    while len(log) < 4:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, 5)
    assert sorted(log[4:]) == [f"cancelled {n}" for n in (0, 1, 2, 7)]


async def test_arguments_that_are_wrong() -> None:
    text = "query ($n: Int) { nodes(n: $n) { n } }"
    answer = await schema.execute(text, {"n": "x"}, Log())
    assert isinstance(answer, ExecutionResult)
    assert told(answer) == [
        (None, "Variable '$n' has invalid value: Int cannot represent non-integer value: 'x'")
    ]


def test_without_an_event_loop() -> None:
    answer = schema.execute_sync("{ nodes { n } }", context_value=Log())
    assert answer.data == {"nodes": [{"n": n} for n in range(3)]}


@pytest.mark.parametrize(("depth", "fallback"), [(45, None), (60, "depth")])
async def test_deep_nesting(depth: int, fallback: str | None) -> None:
    Executor.fallbacks.clear()
    text = "{ node " + "{ again " * depth + "{ n }" + "}" * depth + " }"
    answer = await schema.execute(text, {}, Log())
    assert isinstance(answer, ExecutionResult)
    assert answer.errors is None
    found = answer.data
    for key in ["node", *["again"] * depth]:
        found = (found or {})[key]
    assert found == {"n": 1}
    assert Executor.fallbacks == [fallback]
