"""A schema of all that GraphQL and Strawberry have, over rows that are faulty."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, NewType, TypeVar
from uuid import UUID

import strawberry
from aiodataloader import DataLoader
from strawberry.extensions import DisableValidation
from strawberry.permission import BasePermission
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from execution.batched import Batched, Derived
from execution.documents import Documents
from execution.executor import CompiledExecutor
from execution.reading import Attribute
from execution.schema import PlannedSchema
from execution.types import by_class
from schema.pagination import argument
from schema.scalars import WRITERS
from tests.execution.torture_rows import FAULTS, Color, Mood, Row

T = TypeVar("T")
Shout = NewType("Shout", str)

strawberry.enum(Color)
strawberry.enum(Mood)


def shouted(value: object) -> str | None:
    if value == "boom":
        raise ValueError("no boom please")
    return None if value == "void" else str(value).upper()


class Allowed(BasePermission):
    message = "not you"

    def has_permission(self, source: Any, *_: object, **__: object) -> bool:
        return bool(source.number % 5 != 4)


class AllowedLater(BasePermission):
    message = "not you, later"

    async def has_permission(self, source: Any, *_: object, **__: object) -> bool:
        await asyncio.sleep(0)
        return bool(source.number % 7 != 4)


@dataclass
class Person:
    """As a database gives it."""

    number: int
    key: int
    name: str | None
    nick: str | None
    is_keyed = True

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


PEOPLE = [Person(n, n, None if n == 4 else f"u{n}", f"n{n}" if n % 2 else None) for n in range(50)]


async def people(keys: Sequence[int]) -> list[Any]:
    await asyncio.sleep(0)
    found: list[Any] = [PEOPLE[key] if key < len(PEOPLE) else None for key in keys]
    return [
        ValueError("unlucky") if key == 13 else person
        for key, person in zip(keys, found, strict=True)
    ]


@dataclass
class Context:
    counter: int = 0
    people: DataLoader[int, Any] = field(default_factory=lambda: DataLoader(people))


Info = strawberry.Info[Context, None]


class Owner(Batched):
    async def load(self, context: Context, keys: list[Any], arguments: dict[str, Any]) -> list[Any]:
        loads = [context.people.load(key) for key in keys]
        return await asyncio.shield(asyncio.gather(*loads, return_exceptions=True))


class Neighbour(Owner):
    """With an argument."""

    def apply(self, field: Any) -> None:
        field.arguments = [argument("step", int, None, 1)]

    def keys(self, objects: Sequence[Any], arguments: dict[str, Any]) -> list[Any]:
        if arguments["step"] == 7:
            raise ValueError("no seven")
        keys = super().keys(objects, arguments)
        return [key + arguments["step"] if isinstance(key, int) else key for key in keys]


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Cat(Named):
    lives: int

    @strawberry.field
    def again(self) -> "Cat":
        return self


@strawberry.type
class Dog(Named):
    good: bool

    @strawberry.field
    async def friend(self) -> Named:
        await asyncio.sleep(0)
        return Cat(name="f", lives=3) if self.name.endswith("1") else Dog(name="x1", good=False)


Pet = Annotated[Cat | Dog, strawberry.union("Pet")]


@strawberry.interface
class Keyed:
    """Told apart as this project's nodes are."""

    key: strawberry.ID

    @classmethod
    @by_class
    def resolve_type(cls, row: Any, *_: object) -> str:
        return "User" if isinstance(row, Person) else "Thing"

    @classmethod
    @by_class
    def is_type_of(cls, row: Any, _: object) -> bool:
        return isinstance(row, Person if cls.__name__ == "User" else Row)


class Titles(Derived):
    name = Attribute("name")

    def values(self, objects: Sequence[Any]) -> list[Any]:
        names = list(map(self.name.getter(objects), objects))
        if None in names:
            raise ValueError("nameless")
        return [f"Dr {name}" for name in names]


@strawberry.type
class User(Keyed):
    name: str
    nick: str | None

    title: str = strawberry.field(extensions=[Titles()])


@strawberry.type
class Card:
    """Of no interface: nobody is asked whether a row is one."""

    name: str | None
    nick: str | None


@strawberry.input
class Filter:
    least: int = 0
    color: Color | None = None
    words: list[str] = strawberry.field(default_factory=list)


@strawberry.type
class Page(Generic[T]):
    items: list[T]
    total: int


@strawberry.type
class Thing(Keyed):
    number: strawberry.Private[int]
    depth: strawberry.Private[int]
    text: str | None
    text_set: str
    whole: int | None
    whole_set: int
    ratio: float | None
    flag: bool | None
    moment: dt.datetime | None
    moment_set: dt.datetime
    day: dt.date | None
    uuid: UUID | None
    price: Decimal | None
    data: JSON | None
    color: Color | None
    mood: Mood
    shout: Shout | None
    tags: list[str | None] | None
    tags_set: list[str]
    grid: list[list[int] | None] | None
    child: "Thing | None"
    child_set: "Thing"
    children: "list[Thing | None] | None"
    children_set: "list[Thing]"
    owner: User | None = strawberry.field(extensions=[Owner("owner_key")])
    owner_set: User = strawberry.field(extensions=[Owner("owner_key")])
    card: Card | None = strawberry.field(extensions=[Owner("owner_key")])
    neighbour: User | None = strawberry.field(extensions=[Neighbour("owner_key")])

    @strawberry.field
    def counted(self) -> str | None:
        if self.number % 6 == 5:
            raise ValueError(f"counted {self.number}")
        return f"c{self.number}"

    @strawberry.field
    def deep(self, info: Info) -> int:
        if self.number % 9 == 7:
            raise ValueError(f"deep {self.number} at {info.path.as_list()}")
        return len(info.path.as_list())

    @strawberry.field
    async def slow(self, info: Info, x: int = 2, by: Filter | None = None) -> str | None:
        await asyncio.sleep(0)
        if self.number % 8 == 6:
            raise ValueError(f"slow {self.number}")
        names = [getattr(selected, "name", None) for selected in info.selected_fields]
        return f"{x} {by} {info.field_name} {names} {info.variable_values}"

    @strawberry.field(graphql_type="Thing | None")
    async def later(self, root: strawberry.Parent[Row]) -> Row:
        return root.next(5)

    @strawberry.field(graphql_type=User | None)
    def loaded(self, info: Info, times: int = 1) -> Any:
        return info.context.people.load((self.number * times) % 6)

    @strawberry.field(graphql_type="list[Thing]")
    async def many(self, n: int = 2) -> list[Row]:
        return [Row(self.number + step, self.depth + 1) for step in range(max(0, min(n, 4)))]

    @strawberry.field(permission_classes=[Allowed])
    def secret(self) -> str | None:
        return f"secret {self.number}"

    @strawberry.field(permission_classes=[AllowedLater])
    async def secret_set(self) -> str:
        return f"secret {self.number}"

    @strawberry.field
    def named(self) -> Named | None:
        return Cat(name=f"c{self.number}", lives=1) if self.number % 2 else Dog(name="d", good=True)

    @strawberry.field(graphql_type=Pet | None)
    def pet(self) -> Any:
        good = Cat(name="c", lives=1) if self.number % 3 else Dog(name="d1", good=True)
        return FAULTS.pick(good, [None, Row(0), ValueError("pet")], self.number, "pet")

    @strawberry.field(graphql_type=list[Keyed])
    def all(self) -> list[Any]:
        return [PEOPLE[self.number % 9], Row(self.number, self.depth + 1), PEOPLE[1]]

    @strawberry.field(graphql_type=Page[User])
    def page(self) -> Page[Any]:
        return Page(items=PEOPLE[1:3], total=self.number)


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Thing | None)
    def thing(self, i: int = 1) -> Row:
        return Row(i)

    @strawberry.field(graphql_type=Thing)
    async def thing_set(self, i: int = 1) -> Row:
        await asyncio.sleep(0)
        return Row(i)

    @strawberry.field(graphql_type=list[Thing])
    async def things(self, n: int = 5, by: Filter | None = None) -> list[Row]:
        return [Row(k) for k in range(max(0, min(n, 8)))]

    @strawberry.field(graphql_type=list[Thing | None] | None)
    def maybe_things(self, color: Color = Color.RED) -> list[Row | None]:
        return [Row(10), None, Row(11)]

    @strawberry.field
    async def pets(self) -> list[Pet]:
        return [Cat(name="a", lives=9), Dog(name="b1", good=True), Cat(name="c", lives=1)]

    @strawberry.field
    def names(self) -> list[Named | None]:
        return [Cat(name="a", lives=9), None, Dog(name="b", good=True)]

    @strawberry.field
    def fails(self) -> int | None:
        raise KeyError("root")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, info: Info, n: int = 1) -> int:
        before = info.context.counter
        await asyncio.sleep(0)
        info.context.counter = before + n
        return info.context.counter

    @strawberry.mutation(graphql_type=Thing | None)
    async def make(self, i: int = 1) -> Row:
        return Row(i)

    @strawberry.mutation
    def explode(self) -> int | None:
        raise ValueError("explode")


class Executor(CompiledExecutor):
    documents = Documents(256)
    writers = WRITERS
    fallbacks: ClassVar[list[str | None]] = []

    @classmethod
    def compiles_after(cls, _: object) -> int:
        return 0

    @classmethod
    def executed(cls, fallback: str | None) -> None:
        cls.fallbacks.append(fallback)


class Quiet(strawberry.Schema):
    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        pass


class Planned(Quiet, PlannedSchema): ...


def torture(executor: type[CompiledExecutor] | None = None) -> strawberry.Schema:
    """By graphql-core, unless by `executor`."""
    scalars: dict[object, Any] = {
        Shout: strawberry.scalar(name="Shout", serialize=shouted, parse_value=str)
    }
    kind = Planned if executor else Quiet
    return kind(
        Query,
        Mutation,
        types=[Cat, Dog],
        config=StrawberryConfig(scalar_map=scalars),
        execution_context_class=executor,
        extensions=[] if executor else [DisableValidation],
    )
