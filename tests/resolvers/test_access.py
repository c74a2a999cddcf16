from uuid import UUID, uuid4

import pytest

from core.errors import Forbidden
from core.viewer import Identity, TenantRole, Viewer
from resolvers.access import require_admin, sees_conversation, sees_deleted, sees_private

ME, OTHER, TENANT = uuid4(), uuid4(), uuid4()


def _viewer(role: TenantRole) -> Viewer:
    return Viewer(ME, uuid4(), TENANT, role)


@pytest.mark.parametrize("role", TenantRole)
def test_admins_are_owners_and_admins(role: TenantRole) -> None:
    viewer = _viewer(role)
    assert viewer.is_admin == (role != "MEMBER")
    assert ("me.id" in sees_conversation(viewer)) != viewer.is_admin
    assert sees_deleted(viewer, "d", include_deleted=False) == "d.deleted_at IS NULL"
    assert ("d.owner_id = $2" in sees_deleted(viewer, "d", include_deleted=True)) != viewer.is_admin


@pytest.mark.parametrize("person", [ME, OTHER])
def test_private_fields_are_of_oneself_and_for_admins(person: UUID) -> None:
    is_me = person == ME
    assert sees_private(Identity(ME, uuid4()), person) == is_me
    assert sees_private(_viewer(TenantRole.MEMBER), person) == is_me
    assert sees_private(_viewer(TenantRole.ADMIN), person)
    assert sees_private(_viewer(TenantRole.OWNER), person)


@pytest.mark.parametrize("role", ["OWNER", "ADMIN"])
def test_what_is_for_admins_is_for_owners_too(role: str) -> None:
    require_admin(_viewer(TenantRole(role)))


def test_what_is_for_admins_is_not_for_members() -> None:
    with pytest.raises(Forbidden):
        require_admin(_viewer(TenantRole.MEMBER))
