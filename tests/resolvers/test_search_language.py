"""The languages of search are those of PostgreSQL, and a change of one is made, or refused."""

import tomllib
from uuid import uuid4

import asyncpg
import pytest

from core.errors import Conflict
from core.viewer import Caller, TenantRole, Viewer
from ops.seed import DEMO_FILE
from resolvers.search_language import LANGUAGES, require_language
from resolvers.tenant_management import update_tenant
from tables.engine import DB
from tests.conftest import Database
from tests.graph import Cast

KNOWN = """
    SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace
"""
GERMAN = {"searchLanguage": "german"}


async def test_the_languages_are_those_of_postgresql(database: Database) -> None:
    connection = await database.connect()
    assert {row["cfgname"] for row in await connection.fetch(KNOWN)} == set(LANGUAGES)
    await connection.close()


def test_the_demo_has_one_of_them() -> None:
    settings = tomllib.loads(DEMO_FILE.read_text(encoding="utf-8"))["settings"]
    require_language(settings)
    assert settings["searchLanguage"]


async def test_what_takes_too_long_is_refused_and_changes_nothing(database: Database) -> None:
    await DB.open(database.url("parley_app"), statement_timeout=0.3)
    connection = await database.connect()
    cast = Cast(connection)
    tenant = await cast.tenant("acme")
    ada = await cast.person("ada")
    await cast.member(tenant, ada.id, "OWNER")
    document = await cast.document(tenant, ada.id)
    viewer = Viewer(ada.id, uuid4(), tenant, TenantRole.OWNER)
    caller = Caller("test")
    async with connection.transaction():
        await connection.execute("SELECT FROM documents WHERE id = $1 FOR UPDATE", document)
        with pytest.raises(Conflict) as refused:
            await update_tenant(viewer, caller, settings=GERMAN)
        assert refused.value.field == ("settings", "searchLanguage")
    assert await connection.fetchval("SELECT settings FROM tenants") == "{}"
    await update_tenant(viewer, caller, settings=GERMAN)
    async with connection.transaction():
        await connection.execute("SELECT FROM tenants FOR UPDATE")
        with pytest.raises(asyncpg.QueryCanceledError):  # of another cause
            await update_tenant(viewer, caller, name="Other", settings=GERMAN)
    await connection.close()
