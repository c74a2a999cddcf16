"""Random operations on a schema: valid ones, of all that can be written."""

import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)

VALUES: dict[str, tuple[str, Any]] = {
    "Int": ("3", 7),
    "String": ('"w"', "v"),
    "ID": ('"1"', "2"),
    "Boolean": ("true", False),
    "Float": ("1.5", 2.5),
}


@dataclass
class Operations:
    """Writes one operation."""

    schema: GraphQLSchema
    random: random.Random
    fragments: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    aliases: int = 0

    def write(self, kind: str = "") -> str:
        """A `kind` of operation, or any."""
        kind = kind or ("mutation" if self.chance(0.1) else "query")
        root = self.schema.mutation_type if kind == "mutation" else self.schema.query_type
        selections = self.selections(root, self.random.randrange(1, 4))
        declared = ", ".join(f"${name}: {type}" for name, type in self.declared.items())
        head = f"{kind} Asked{f'({declared})' if declared else ''}"
        return "\n".join((f"{head} {{ {selections} }}", *self.fragments))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def some(self, names: list[str], most: int) -> list[str]:
        return self.random.sample(names, min(len(names), self.random.randrange(1, most)))

    def selections(self, type: Any, depth: int) -> str:
        selected = self.inline_fragments(type, depth)
        for name in self.names(type, depth):
            selected.append(self.selection(type, name, depth))
        self.random.shuffle(selected)
        if len(selected) > 1 and self.chance(0.25):
            selected = self.with_fragment(type, selected)
        return " ".join(selected) or "__typename"

    def names(self, type: Any, depth: int) -> list[str]:
        names = ["__typename"] if self.chance(0.3) else []
        fields = getattr(type, "fields", {})
        edges = [k for k, f in fields.items() if is_composite_type(get_named_type(f.type))]
        names += self.some([name for name in fields if name not in edges], 12)
        return names + (self.some(edges, 4) if depth > 0 else [])

    def inline_fragments(self, type: Any, depth: int) -> list[str]:
        if not is_abstract_type(type):
            return []
        return [
            f"... on {possible.name}{self.condition()} {{ {self.selections(possible, depth - 1)} }}"
            for possible in self.schema.get_possible_types(type)
            if self.chance(0.7)
        ]

    def selection(self, type: Any, name: str, depth: int) -> str:
        if name == "__typename":
            return name
        definition = type.fields[name]
        arguments = self.arguments(definition)
        text = name + (f"({', '.join(arguments)})" if arguments else "") + self.condition()
        if arguments or self.chance(0.15):
            self.aliases += 1
            text = f"a{self.aliases}: {text}"
        below = get_named_type(definition.type)
        if is_composite_type(below):
            text += f" {{ {self.selections(below, depth - 1)} }}"
        return text

    def arguments(self, definition: GraphQLField) -> list[str]:
        return [
            f"{name}: {self.argument(argument)}"
            for name, argument in definition.args.items()
            if self.chance(0.5)
        ]

    def with_fragment(self, type: Any, selected: list[str]) -> list[str]:
        cut = self.random.randrange(1, len(selected))
        kept, moved = selected[:cut], " ".join(selected[cut:])
        if self.chance(0.5):
            on = "" if self.chance(0.5) else f" on {type.name}"
            return [*kept, f"...{on}{self.condition()} {{ {moved} }}"]
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {type.name} {{ {moved} }}")
        again = [f"...{name}"] if self.chance(0.3) else []
        return [*kept, f"...{name}{self.condition()}", *again]

    def condition(self) -> str:
        if not self.chance(0.12):
            return ""
        directive = self.random.choice(("skip", "include"))
        if self.chance(0.5):
            return f" @{directive}(if: {self.random.choice(('true', 'false'))})"
        name = f"c{self.random.randrange(3)}"
        self.declared[name] = "Boolean!"
        self.variables.setdefault(name, self.chance(0.5))
        return f" @{directive}(if: ${name})"

    def argument(self, argument: GraphQLArgument) -> str:
        if not self.chance(0.4):
            return self.literal(argument.type)
        name = f"v{len(self.declared)}"
        self.declared[name] = str(argument.type)
        self.variables[name] = self.value(argument.type)
        return f"${name}"

    def literal(self, type: Any) -> str:
        if is_non_null_type(type):
            return self.literal(type.of_type)
        if is_list_type(type):
            items = (self.literal(type.of_type) for _ in range(self.random.randrange(3)))
            return f"[{', '.join(items)}]"
        if is_enum_type(type):
            return str(self.random.choice(list(type.values)))
        if is_input_object_type(type):
            given = {k: f for k, f in type.fields.items() if self.chance(0.6)}
            return f"{{{', '.join(f'{k}: {self.literal(f.type)}' for k, f in given.items())}}}"
        return VALUES[type.name][0]

    def value(self, type: Any) -> Any:
        if is_non_null_type(type):
            return self.value(type.of_type)
        if is_list_type(type):
            return [self.value(type.of_type) for _ in range(self.random.randrange(3))]
        if is_enum_type(type):
            return self.random.choice(list(type.values))
        if is_input_object_type(type):
            return {k: self.value(f.type) for k, f in type.fields.items() if self.chance(0.6)}
        return VALUES[type.name][1]
