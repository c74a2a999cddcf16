export interface Credentials {
  token: string;
  tenant: string;
}

// localStorage and not a cookie, which the browser would also send along for other sites; not
// sessionStorage, which every new tab would find empty; not the address, which gets shared.
const KEY = "parley:credentials";

const REPLACE = "This link signs in with another token. Replace the one that is kept here?";

export function keep(credentials: Credentials): void {
  localStorage.setItem(KEY, JSON.stringify(credentials));
}

/** Those of the address (`#token=…&tenant=…`) first, then those kept. */
export function recall(): Credentials {
  const kept = read();
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token");
  if (token === null) {
    return kept;
  }
  // Whoever copies the address must not hand out the token with it.
  history.replaceState(null, "", location.pathname + location.search);
  // Anybody can send a link: it must not make us work as somebody else unnoticed.
  if (kept.token && kept.token !== token && !confirm(REPLACE)) {
    return kept;
  }
  const credentials = { token, tenant: given.get("tenant") ?? "" };
  keep(credentials);
  return credentials;
}

/** What is kept, or nothing: other programs of this address may have written there. */
function read(): Credentials {
  try {
    const { token, tenant } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { token: String(token ?? ""), tenant: String(tenant ?? "") };
  } catch {
    return { token: "", tenant: "" };
  }
}

export function headers({ token, tenant }: Credentials): Record<string, string> {
  return {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(tenant && { "X-Tenant": tenant }),
  };
}
