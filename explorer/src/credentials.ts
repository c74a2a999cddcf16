export interface Credentials {
  token: string;
  tenant: string;
}

// localStorage and not a cookie, which the browser would also send along for other sites; not
// sessionStorage, which every new tab would find empty; not the address, which gets shared.
const KEY = "parley:credentials";

export function keep(credentials: Credentials): void {
  localStorage.setItem(KEY, JSON.stringify(credentials));
}

/** Those of the address (`#token=…&tenant=…`) first, then those kept. */
export function recall(): Credentials {
  const kept: Partial<Credentials> = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("token")) {
    return { token: "", tenant: "", ...kept };
  }
  const credentials = { token: given.get("token") ?? "", tenant: given.get("tenant") ?? "" };
  keep(credentials);
  // Whoever copies the address must not hand out the token with it.
  history.replaceState(null, "", location.pathname + location.search);
  return credentials;
}

export function headers({ token, tenant }: Credentials): Record<string, string> {
  return {
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(tenant && { "X-Tenant": tenant }),
  };
}
