"""What each role sees of each field, by any way that leads to its object."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.schema.permissions.stage import Stage, actor
from tests.schema.permissions.truth import Fact, facts
from tests.schema.permissions.ways import ways
from tests.schema.workspace import gid

MISSING = "missing"
REFUSALS = {"UNAUTHENTICATED", "FORBIDDEN"}
Cells = dict[tuple[str, str], str]
"""What becomes of a field, by its name and whose it is."""


def subjects(stage: Stage, role: str) -> dict[str, dict[str, UUID]]:
    """What a role looks at, by type and whose it is."""
    ids, user, who = stage.ids, stage.user, actor(role)
    return {
        "Viewer": {"": user(role)},
        "User": {
            "oneself": user(role),
            "another": user("peer"),
            "who left": user("gone"),
            "who was added, and never came in": user("added"),
        },
        "Membership": {
            "one's own": stage.membership(role),
            "of another": stage.membership("peer"),
            "of who left": stage.membership("gone"),
            "one's own elsewhere": ids[f"Membership elsewhere of {who}"],
        },
        "Tenant": {"of the request": stage.id, "another of one's own": stage.elsewhere},
        "Conversation": _deletable(stage, who, "Conversation"),
        "Message": {"not deleted": ids["Message"], "deleted": ids["Message deleted"]},
        "Document": _deletable(stage, who, "Document"),
        "Session": {
            "one's own": stage.person(role).session_id,
            "of another": stage.person("peer").session_id,
        },
        "AuditEvent": {"": ids["AuditEvent"]},
    }


def _deletable(stage: Stage, who: str, type: str) -> dict[str, UUID]:
    return {
        "not deleted": stage.ids[type],
        "deleted, one's own": stage.ids[f"{type} deleted of {who}"],
        "deleted, of another": stage.ids[f"{type} deleted"],
    }


async def observe(stage: Stage, role: str, type: str) -> Cells:
    eyes, found = Eyes(stage, role), {}
    for whose, id in subjects(stage, role)[type].items():
        known = await facts(stage, type, id)
        sights = [await eyes.look(way, type, id, known) for way in ways(type)]
        # Where nothing is shown, it is told how the first way refuses: that by the object's id.
        telling = [sight for sight in sights if any(map(_is_shown, sight.values()))] or sights[:1]
        for fact in known:
            found[fact.name, whose] = _most([sight[fact.name] for sight in telling])
    return found


def _is_shown(outcome: str) -> bool:
    return outcome not in {MISSING, *REFUSALS}


def _most(outcomes: Sequence[str]) -> str:
    """All that is shown, else how it is refused."""
    return " or ".join(sorted({*filter(_is_shown, outcomes)})) or outcomes[0]


@dataclass
class Eyes:
    """Of one role. What was asked once is remembered."""

    stage: Stage
    role: str
    answers: dict[str, tuple[Any, dict[str, str]]] = field(default_factory=dict)

    async def look(self, way: str, type: str, id: UUID, known: Sequence[Fact]) -> dict[str, str]:
        """Outcomes by field. One that fails may take others along: they are asked again."""
        if not known:
            return {}
        itself = "Viewer" if type == "Viewer" else gid(type, id)
        name = "__typename" if type == "Viewer" else "id"
        asked = " ".join(f"f_{fact.name}: {fact.name} {fact.selection}" for fact in known)
        ids = {
            "user": gid("User", self.stage.user("peer")),
            "conversation": gid("Conversation", self.stage.ids["Conversation"]),
            type.lower(): itself,
        }
        data, failures = await self.ask(way.replace("@", f"itself: {name} {asked}"), ids)
        failed = {path[2:]: code for path, code in failures.items() if path.startswith("f_")}
        if failed:
            rest = [fact for fact in known if fact.name not in failed]
            return failed | await self.look(way, type, id, rest)
        if failures:
            return dict.fromkeys((fact.name for fact in known), failures["query"])
        rows = [row for row in objects(data) if row.get("itself") == itself]
        return {fact.name: _shown(fact, rows) for fact in known}

    async def ask(self, query: str, ids: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
        """The data, and the code of each field that failed: of an alias, or of the query."""
        used = {name: value for name, value in ids.items() if f"${name}" in query}
        key = f"{query} {used}"
        if key not in self.answers:
            declared = ", ".join(f"${name}: ID!" for name in used)
            text = f"query {f'({declared})' if used else ''} {{ {query} }}"
            answer = (await self.stage.by(self.role).post(text, **used)).json()
            failures = dict(_failure(error) for error in answer.get("errors", []))
            assert {*failures.values()} <= REFUSALS, (text, answer)
            self.answers[key] = answer.get("data"), failures
        return self.answers[key]


def _failure(error: Any) -> tuple[str, str]:
    aliases = [part for part in error.get("path", []) if str(part).startswith("f_")]
    return aliases[0] if aliases else "query", error["extensions"]["code"]


def objects(data: Any) -> Iterator[dict[str, Any]]:
    """All that are anywhere in the data."""
    for value in data.values() if isinstance(data, dict) else data:
        if isinstance(value, dict | list):
            yield from objects(value)
    if isinstance(data, dict):
        yield data


def _shown(fact: Fact, rows: Sequence[Any]) -> str:
    return _most([fact.outcome(row[f"f_{fact.name}"]) for row in rows] or [MISSING])
