"""What is kept of documents: for all who send them, and no more than there is room for."""

import gc
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any, ClassVar

import pytest
from graphql import parse

from execution.conditions import conditions
from execution.documents import Document, Documents
from execution.executor import CompiledExecutor
from tests.execution.torture import Context, torture
from tests.execution.torture_rows import FAULTS


class Twice(CompiledExecutor):
    """As in production: a document is planned when it returns."""

    documents: ClassVar[Documents] = Documents(4)
    fallbacks: ClassVar[list[str | None]] = []

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        cls.fallbacks.append(fallback)


schema = torture(Twice)


@pytest.fixture(autouse=True)
def documents() -> Documents:
    FAULTS.rate = 0
    Twice.documents.__init__(4)  # type: ignore[misc]
    Twice.fallbacks.clear()
    return Twice.documents


async def ask(text: str, **variables: Any) -> Any:
    return await schema.execute(text, variables, Context())


def _texts(documents: Documents) -> set[str]:
    return {document.node.loc.source.body for document in documents if document.node.loc}


async def test_a_document_is_planned_when_it_returns() -> None:
    for _ in range(3):
        answer = await ask("{ things { whole } }")
        assert answer.data == {"things": [{"whole": n} for n in range(5)]}
    assert Twice.fallbacks == ["first sight", None, None]


async def test_plans_are_of_what_skip_and_include_say() -> None:
    text = "query ($c: Boolean!) { thing { a: whole @skip(if: $c) b: text @include(if: $c) } }"
    for c in (True, False, True, False):
        answer = await ask(text, c=c)
        assert answer.data == {"thing": {"b": "s1"} if c else {"a": 1}}
    (document,) = Twice.documents
    assert len(document.plans) == 2


async def test_plans_are_of_one_operation() -> None:
    text = "query A { thing { whole } } query B { thing { text } }"
    for name, data in [("A", {"whole": 1}), ("B", {"text": "s1"})] * 2:
        answer = await schema.execute(text, {}, Context(), operation_name=name)
        assert answer.data == {"thing": data}


async def test_what_is_invalid_is_known_to_be() -> None:
    messages = [[error.message for error in (await ask("{ nothing }")).errors] for _ in range(2)]
    assert messages[0] == messages[1]
    assert messages[0][0].startswith("Cannot query field 'nothing' on type 'Query'.")
    assert Twice.fallbacks == []


@pytest.mark.parametrize("other", ["directive @a on FIELD", "type T { x: Int }"])
async def test_what_is_not_executable_is_refused(other: str) -> None:
    for _ in range(2):
        (error,) = (await ask(f"query {{ things {{ whole }} }} {other}")).errors
        assert "is not executable" in error.message


async def test_the_least_recently_used_is_forgotten(documents: Documents) -> None:
    texts = [f"{{ thing {{ a{n}: whole }} }}" for n in range(4)]
    for text in [*texts, texts[0], "{ thing { last: whole } }"]:
        await ask(text)
    assert _texts(documents) == {texts[0], *texts[2:], "{ thing { last: whole } }"}


async def test_what_comes_once_does_not_drive_out_what_comes_again(documents: Documents) -> None:
    for text in ("{ thing { whole } }", "{ thing { text } }"):
        await ask(text)
        await ask(text)
    for n in range(20):
        await ask(f"{{ thing {{ a{n}: whole }} }}")
    Twice.fallbacks.clear()
    for text in ("{ thing { whole } }", "{ thing { text } }"):
        await ask(text)
    assert Twice.fallbacks == [None, None]


async def test_what_is_new_takes_the_place_of_what_was_used_long_ago(documents: Documents) -> None:
    for n in range(6):
        for _ in range(2):
            await ask(f"{{ thing {{ a{n}: whole }} }}")
    assert len(documents) == 4
    assert "{ thing { a5: whole } }" in _texts(documents)


async def test_a_long_document_is_answered_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, documents: Documents
) -> None:
    monkeypatch.setattr("execution.documents.LONGEST", 30)
    await ask("{ thing { whole } }")
    for _ in range(2):
        answer = await ask("{ thing { whole } } # and so on")
        assert answer.data == {"thing": {"whole": 1}}
    assert _texts(documents) == {"{ thing { whole } }"}
    assert Twice.fallbacks == ["first sight", "unknown document", "unknown document"]


async def test_long_documents_make_room_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.documents.MAX_CHARACTERS", 100)
    documents = Documents(256)
    for n in range(50):
        documents.of(f"{{ thing {{ a{n}: whole }} }}")
    assert 1 < len(documents) < 5
    assert documents._characters == sum(map(len, _texts(documents))) <= 100


async def test_plans_make_room_for_each_other(
    monkeypatch: pytest.MonkeyPatch, documents: Documents
) -> None:
    monkeypatch.setattr("execution.documents.MAX_PLANNED", 5)
    for n in range(4):
        for _ in range(2):
            await ask(f"{{ thing {{ a{n}: whole }} }}")
    assert [len(known.plans) for known in documents] == [0, 0, 1, 1]


async def test_plans_of_a_document_are_few(documents: Documents) -> None:
    names = [f"c{n}" for n in range(5)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: whole @skip(if: ${name})" for name in names)
    for bits in range(32):
        given = {name: bool(bits >> n & 1) for n, name in enumerate(names)}
        await ask(f"query ({declared}) {{ thing {{ x: whole {fields} }} }}", **given)
    (document,) = documents
    assert len(document.plans) == 8


SPREADING = " ".join(
    f"fragment F{n} on Thing {{ a: child {{ ...F{n + 1} }} b: child {{ ...F{n + 1} }} }}"
    for n in range(12)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ __schema { queryType { name } } }", "introspection"),
        ('{ __type(name: "Query") { name } }', "introspection"),
        (f"{{ thing {{ ...F0 }} }} {SPREADING} fragment F12 on Thing {{ whole }}", "size"),
    ],
)
async def test_what_is_left_to_graphql_core(text: str, reason: str) -> None:
    for _ in range(2):
        assert (await ask(text)).errors is None
    assert Twice.fallbacks == ["first sight", reason]


def test_conditions() -> None:
    known = "query ($a: Boolean!) { x @skip(if: $a) ...F } fragment F on Q { y @include(if: $b) }"
    assert conditions(parse(known)) == ("a", "b")
    for text in (
        "{ x @other }",
        "query @other { x }",
        "query ($a: Int @other) { x }",
        "{ ...F } fragment F on Q @other { y }",
        "{ ... @other { x } }",
        "{ x { ...F @other } }",
    ):
        assert conditions(parse(text)) is None


async def test_a_fault_of_the_planner_is_told_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(executor: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("execution.executor.plan_of", faulty)
    for _ in range(3):
        assert (await ask("{ thing { whole } }")).data == {"thing": {"whole": 1}}
    assert Twice.fallbacks == ["first sight", "fault", "fault"]
    assert caplog.text.count("was not planned") == 1


async def test_nothing_of_a_request_stays() -> None:
    secret = Context()
    secret_words = [f"very secret {id(secret)}"]
    fields = "slow(by: {words: $w}) owner { name }"
    text = f"query ($w: [String!]!) {{ things(by: {{words: $w}}) {{ {fields} }} }}"
    for _ in range(2):
        await schema.execute(text, {"w": secret_words}, secret)
    assert Twice.fallbacks == ["first sight", None]
    (document,) = Twice.documents
    held = list(_held(document))
    assert len(held) > 100
    assert not [thing for thing in held if thing is secret or thing is secret_words[0]]


def _held(root: Document) -> Iterator[object]:
    """All that a document leads to, without the code and the schema."""
    seen, found = {id(schema), id(schema._schema)}, [root]
    while found:
        thing: Any = found.pop()
        if id(thing) in seen or isinstance(thing, (type, ModuleType, FunctionType)):
            continue
        seen.add(id(thing))
        yield thing
        found.extend(gc.get_referents(thing))
