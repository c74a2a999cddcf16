"""A viewer's role may be older than the database's: who was removed, or made a member again, a
moment ago does nothing more. Caches of roles would hide it, so the rules are called as they are.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from core.errors import Forbidden, NotFound, RuleError
from core.viewer import Caller, TenantRole, Viewer
from resolvers.conversation_reading import mark_conversation_read
from resolvers.conversation_writing import (
    create_conversation,
    delete_conversation,
    rename_conversation,
    restore_conversation,
)
from resolvers.document_writing import (
    create_document,
    delete_document,
    restore_document,
    update_document,
)
from resolvers.message_editing import delete_message, edit_message, restore_message
from resolvers.message_sending import send_message
from resolvers.participant_management import add_participant, remove_participant
from resolvers.services import Services
from tests.graph import SETTINGS
from tests.schema.talking import state
from tests.schema.workspace import Workspace

CALLER = Caller(ip_address=None, request_id="stale")
NEW = {"filename": "a.txt", "content_type": "text/plain", "content": "a"}
Deed = Callable[[], Awaitable[object]]
WRITTEN = ("conversations", "participants", "messages", "documents", "audit_events")


@pytest.fixture
async def services() -> Services:
    return Services.of(SETTINGS)


def _stale(acme: Workspace, name: str, role: TenantRole) -> Viewer:
    person = acme.cast.people[name]
    return Viewer(person.id, person.session_id, acme.id, role)


async def _refusals(deeds: list[Deed]) -> list[type[RuleError]]:
    found = []
    for deed in deeds:
        with pytest.raises(RuleError) as refusal:
            await deed()
        found.append(refusal.type)
    return found


def _of_conversation(viewer: Viewer, talk: UUID, message: UUID) -> list[Deed]:
    return [
        lambda: rename_conversation(viewer, talk, "New"),
        lambda: delete_conversation(viewer, CALLER, talk),
        lambda: restore_conversation(viewer, CALLER, talk),
        lambda: add_participant(viewer, CALLER, talk, viewer.user_id),
        lambda: remove_participant(viewer, CALLER, talk, viewer.user_id),
        lambda: mark_conversation_read(viewer, talk),
        lambda: send_message(viewer, talk, "hi"),
        lambda: edit_message(viewer, message, "new"),
        lambda: delete_message(viewer, CALLER, message),
        lambda: restore_message(viewer, CALLER, message),
    ]


def _of_document(services: Services, viewer: Viewer, document: UUID) -> list[Deed]:
    return [
        lambda: update_document(services, viewer, document, content="new"),
        lambda: delete_document(viewer, CALLER, document),
        lambda: restore_document(viewer, CALLER, document),
    ]


@pytest.mark.parametrize("role", list(TenantRole))
async def test_who_was_removed_writes_nothing(
    acme: Workspace, services: Services, role: TenantRole
) -> None:
    dora = _stale(acme, "dora", role)
    talk = await acme.talk("dora", "bob")
    message, document = await acme.message(talk, "dora"), await acme.document("dora")
    before = await state(acme, *WRITTEN)
    changes = _of_conversation(dora, talk, message) + _of_document(services, dora, document)
    assert await _refusals(changes) == [NotFound] * len(changes)
    additions: list[Deed] = [
        lambda: create_conversation(dora, "Talk"),
        lambda: create_document(services, dora, **NEW),
        lambda: create_document(services, dora, **NEW, idempotency_key="k"),
    ]
    assert await _refusals(additions) == [Forbidden] * len(additions)
    assert await state(acme, *WRITTEN) == before


async def test_who_was_an_admin_is_none(acme: Workspace, services: Services) -> None:
    bob = _stale(acme, "bob", TenantRole.ADMIN)
    talk = await acme.talk("carl")
    message, document = await acme.message(talk, "carl"), await acme.document("carl")
    before = await state(acme, *WRITTEN)
    changes = _of_conversation(bob, talk, message)
    assert await _refusals(changes) == [NotFound] * len(changes)
    assert await _refusals(_of_document(services, bob, document)) == [Forbidden] * 3
    assert await state(acme, *WRITTEN) == before
    await acme.delete("documents", document)
    assert await _refusals(_of_document(services, bob, document)) == [NotFound] * 3
