"""For a moment, until its process has heard of it, somebody is believed to be who is gone: they are
refused as everybody is who may do nothing, and nothing is put down to a fault of ours."""

import pytest

from core.viewer import Caller, Identity, TenantRole, Viewer
from resolvers.services import Services
from schema.context import Context
from schema.errors import presented
from schema.payload import ErrorCode
from schema.schema import schema
from tests.graph import SETTINGS, Cast, Client, _input_type
from tests.schema.permissions.mutations import deeds
from tests.schema.permissions.stage import SLUG, set_stage

QUERIES = (
    "{ viewer { user { id } } }",
    "{ viewer { membership { id } memberships { id } sessions { id } } }",
    "{ tenant { slug } }",
    "{ conversations(first: 1) { nodes { id } } }",
    "{ auditEvents(first: 1) { nodes { id } } }",
)
DELETE = {
    "a person": "DELETE FROM users WHERE id = $1",
    "a workspace": "DELETE FROM tenants WHERE id = $1",
}
NO_FAULTS = set(ErrorCode)


async def _codes(services: Services, who: Identity, query: str, **variables: object) -> set[str]:
    context = Context(services, Caller("gone", None, None), tenant=SLUG, who=who)
    result = await schema.execute(query, variables, context)
    errors = [presented(error, "gone") for error in result.errors or ()]
    codes = {str((error.extensions or {})["code"]) for error in errors}
    for payload in (result.data or {}).values():
        if isinstance(payload, dict):
            codes |= {error["code"] for error in payload.get("errors", ())}
    return codes


@pytest.mark.parametrize("role", ["participant", "owner"])
@pytest.mark.parametrize("gone", DELETE)
async def test_who_is_gone(cast: Cast, client: Client, gone: str, role: str) -> None:
    stage = await set_stage(cast, client)
    person = stage.person(role)
    rank = TenantRole.OWNER if role == "owner" else TenantRole.MEMBER
    who = Viewer(person.id, person.session_id, stage.id, rank)
    services = Services.of(SETTINGS)
    id = person.id if gone == "a person" else stage.id
    await cast.connection.execute(DELETE[gone], id)
    for query in QUERIES:
        assert await _codes(services, who, query) <= NO_FAULTS, query
    for (mutation, case), deed in deeds(stage, role).items():
        declared, given, variables = "", "", {}
        if deed.input:
            declared, given = f"($input: {_input_type(mutation)})", "(input: $input)"
            variables = {"input": deed.input}
        query = f"mutation {declared} {{ {mutation}{given} {{ errors {{ code }} }} }}"
        assert await _codes(services, who, query, **variables) <= NO_FAULTS, (mutation, case)
