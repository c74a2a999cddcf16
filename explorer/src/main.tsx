import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import { createClient } from "graphql-ws";
import { StrictMode, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";

import { type Credentials, headers, keep, recall } from "./credentials";
import { CredentialsBar } from "./CredentialsBar";
import "./explorer.css";
import overview from "./overview.graphql?raw";

const FIRST_TAB = [{ query: overview }];
const SOCKET = `${location.origin.replace(/^http/, "ws")}/graphql`;

function Explorer({ initial }: { initial: Credentials }) {
  const [credentials, setCredentials] = useState(initial);
  const fetcher = useMemo(
    () =>
      createGraphiQLFetcher({
        url: "/graphql",
        headers: headers(credentials),
        wsClient: createClient({ url: SOCKET, connectionParams: headers(credentials) }),
      }),
    [credentials],
  );

  function change(changed: Credentials) {
    keep(changed);
    setCredentials(changed);
  }

  return (
    <>
      <CredentialsBar credentials={credentials} onChange={change} />
      <GraphiQL fetcher={fetcher} defaultTabs={FIRST_TAB} defaultQuery="">
        <GraphiQL.Logo>{null}</GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

// A link with another token, opened in this tab, changes the fragment only.
addEventListener("hashchange", () => location.reload());

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Explorer initial={recall()} />
  </StrictMode>,
);
