"""What clients mostly ask for with a message: read once, for all who are told of it.

It has no viewer, and so nothing that depends on who looks. Which of a person's columns are shown,
the fields decide.
"""

from collections.abc import Sequence
from uuid import UUID

from resolvers.document import documents_by_message, documents_used_by
from resolvers.loading import NOTHING, Known
from resolvers.message import MessageRow
from resolvers.user import users_by_id


async def company_of(tenant_id: UUID, messages: Sequence[MessageRow]) -> Known:
    """Authors, and the documents that were used."""
    if not messages:
        return NOTHING
    people = list({message.author_id for message in messages if message.author_id})
    ids = list({message.id for message in messages})
    return {
        users_by_id: dict(zip(people, await users_by_id.of_tenant(tenant_id, people), strict=True)),
        documents_by_message: dict(zip(ids, await documents_used_by(tenant_id, ids), strict=True)),
    }
