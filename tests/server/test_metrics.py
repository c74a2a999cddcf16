"""/metrics: for whoever has the operator's token, and there for nobody else."""

from pydantic import SecretStr

from tests.graph import SETTINGS, Client, asking


async def test_is_not_there_unless_configured(client: Client) -> None:
    assert (await client.http.get("/metrics")).status_code == 404


async def test_counts_how_operations_are_executed(client: Client) -> None:
    settings = SETTINGS.model_copy(
        update={"metrics_token": SecretStr("of prometheus"), "compile_after": 1}
    )
    async with asking(settings) as watched:
        refused = await watched.http.get("/metrics", headers={"Authorization": "Bearer of prom"})
        assert refused.status_code == 401
        assert b"parley" not in refused.content
        before = await _counted(watched)
        for _ in range(3):
            await watched.post("{ viewer { user { id } } a_name_of_its_own: __typename }")
        after = await _counted(watched)
    assert after["first sight"] - before.get("first sight", 0) == 1
    assert after[""] - before.get("", 0) == 2


async def _counted(client: Client) -> dict[str, float]:
    answer = await client.http.get("/metrics", headers={"Authorization": "Bearer of prometheus"})
    assert answer.status_code == 200
    name = 'parley_graphql_operations_total{fallback="'
    lines = [line for line in answer.text.splitlines() if line.startswith(name)]
    return {line.removeprefix(name).split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
