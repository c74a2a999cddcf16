// Follows a conversation as a front end would, over graphql-ws or graphql-sse, and goes on after the
// last change that it saw when its connection is lost. Prints [what, value] as lines of JSON.
import { createClient as createStream } from "graphql-sse";
import { createClient as createSocket } from "graphql-ws";
import WebSocket from "ws";

const { protocol, addresses, headers, query, variables } = JSON.parse(process.argv[2]);
const tell = (what, value) => console.log(JSON.stringify([what, value]));
let attempts = 0;

const options = {
  url: () => addresses[attempts++ % addresses.length],
  retryAttempts: 20,
  retry: () => new Promise((resolve) => setTimeout(resolve, 100)),
};
const client =
  protocol === "graphql-ws"
    ? createSocket({
        ...options,
        webSocketImpl: WebSocket,
        connectionParams: headers,
        retryWait: options.retry,
        on: { closed: ({ code, reason }) => tell("closed", [code, String(reason)]) },
      })
    : createStream({ ...options, headers });

client.subscribe(
  { query, variables },
  {
    next({ data, errors }) {
      tell(errors ? "errors" : "next", errors ?? data);
      variables.after = data?.messageChanges.cursor ?? variables.after;
    },
    error: (error) => tell("error", error.message ?? error.reason ?? error),
    complete: () => tell("complete", null),
  },
);
