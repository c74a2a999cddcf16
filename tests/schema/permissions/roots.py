"""What each role gets from the fields of Query."""

from typing import Any, NamedTuple
from uuid import UUID

from tests.schema.permissions.reads import Cells, Eyes
from tests.schema.permissions.stage import Stage
from tests.schema.permissions.truth import extent
from tests.schema.permissions.ways import PAGE
from tests.schema.workspace import gid

OF_TENANT = "SELECT id FROM {} WHERE tenant_id = $1"
LIVING = f"{OF_TENANT} AND deleted_at IS NULL"
MEMBERS = "SELECT user_id FROM memberships WHERE tenant_id = $1 AND is_active"
SAID = """SELECT m.id FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.tenant_id = $1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL"""
NODES = "{ nodes { id } }"


class Root(NamedTuple):
    query: str
    whole: str | UUID
    """All that it could show: a statement, or a key."""


def roots(stage: Stage, role: str) -> dict[tuple[str, str], Root]:
    """Queries by field and case."""
    peer, talk, hidden = stage.user("peer"), stage.ids["Conversation"], stage.ids["elsewhere"]
    user, conversation = gid("User", peer), gid("Conversation", talk)
    foreign = gid("Document", hidden)
    paged = f"first: {PAGE}"
    by_email = f'{paged}, search: "peer@"'
    deleted = f"{paged}, filter: {{includeDeleted: true}}"
    return {
        ("node", "of the workspace"): Root(f'node(id: "{user}") {{ id }}', peer),
        ("node", "of another workspace"): Root(f'node(id: "{foreign}") {{ id }}', hidden),
        ("nodes", "of the workspace"): Root(f'nodes(ids: ["{user}"]) {{ id }}', peer),
        ("nodes", "of another workspace"): Root(f'nodes(ids: ["{foreign}"]) {{ id }}', hidden),
        ("viewer", ""): Root("viewer { user { id } }", stage.user(role)),
        ("tenant", ""): Root("tenant { id }", stage.id),
        ("tenant", "members found by e-mail"): Root(
            f"tenant {{ members({by_email}) {NODES} }}", stage.ids["Membership of peer"]
        ),
        ("user", "by id"): Root(f'user(by: {{id: "{user}"}}) {{ id }}', peer),
        ("user", "by username"): Root('user(by: {username: "peer"}) { id }', peer),
        ("user", "of another workspace"): Root(
            'user(by: {username: "outsider"}) { id }', stage.user("outsider")
        ),
        ("users", ""): Root(f"users({paged}) {NODES}", MEMBERS),
        ("users", "found by e-mail"): Root(f"users({by_email}) {NODES}", peer),
        ("conversation", "by id"): Root(
            f'conversation(by: {{id: "{conversation}"}}) {{ id }}', talk
        ),
        ("conversation", "by shortId"): Root(
            f'conversation(by: {{shortId: "{talk.hex}"}}) {{ id }}', talk
        ),
        ("conversations", ""): Root(
            f"conversations({paged}) {NODES}", LIVING.format("conversations")
        ),
        ("conversations", "with deleted ones"): Root(
            f"conversations({deleted}) {NODES}", OF_TENANT.format("conversations")
        ),
        ("documents", ""): Root(f"documents({paged}) {NODES}", LIVING.format("documents")),
        ("documents", "with deleted ones"): Root(
            f"documents({deleted}) {NODES}", OF_TENANT.format("documents")
        ),
        ("searchMessages", ""): Root(f'searchMessages({paged}, query: "message") {NODES}', SAID),
        ("auditEvents", ""): Root(
            f"auditEvents({paged}) {NODES}", OF_TENANT.format("audit_events")
        ),
    }


async def observe(stage: Stage, role: str) -> Cells:
    eyes = Eyes(stage, role)
    return {name: await _outcome(eyes, root) for name, root in roots(stage, role).items()}


async def _outcome(eyes: Eyes, root: Root) -> str:
    data, failures = await eyes.ask(root.query, {})
    if failures:
        return failures["query"]
    whole = {str(root.whole)}
    if isinstance(root.whole, str):
        rows = await eyes.stage.cast.connection.fetch(root.whole, eyes.stage.id)
        whole = {str(row[0]) for row in rows}
    shown = _shown(data)
    return "null" if shown is None else extent(shown, whole)


def _shown(data: Any) -> list[Any] | None:
    """What is selected, as a list of nodes; None for what is null."""
    if data is None or "id" in data:
        return data and [data]
    (value,) = data.values()
    if isinstance(value, list):
        return None if value == [None] else value
    return _shown(value)
