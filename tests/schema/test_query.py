from tests.graph import Cast, Client


async def test_deep(cast: Cast, client: Client) -> None:
    acme = await cast.tenant("acme")
    ada = await cast.person("ada", acme)
    await cast.member(acme, ada.id, "OWNER")
    document = await cast.document(acme, ada.id, tags=["faq"], metadata={"a": 1})
    talk = await cast.conversation(acme, ada.id)
    for n in range(3):
        await cast.cite(acme, await cast.message(acme, talk, ada.id if n % 2 else None), document)
    data = await client.signed_in(ada).ask(
        """{
        viewer { user { id username email membership { role } conversations(first: 2) { totalCount } } membership { role user { id } tenant { slug } }
                 memberships { role tenant { slug settings } user { username } } sessions { id isCurrent } }
        tenant { id name members(first: 10) { totalCount nodes { user { username } } } }
        users(first: 10, search: "AD") { totalCount nodes { id username } }
        conversations(first: 10) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
            id shortId title unreadCount messageCount owner { username }
            participants(last: 2) { totalCount nodes { username } }
            lastMessage { sequence role content }
            messages(last: 2) { totalCount nodes { id sequence role author { username } conversation { id }
              usedDocuments { id filename content metadata tags citedBy(first: 5) { totalCount nodes { sequence } } } } }
        } } }
        documents(first: 5, filter: {tagsAll: ["faq"]}) { totalCount nodes { size owner { username } } }
    }"""
    )
    print(data)
    assert data["viewer"]["user"]["username"] == "ada"
