import type { SyntheticEvent } from "react";

import type { Credentials } from "./credentials";
import logo from "./parley.svg";

interface Props {
  credentials: Credentials;
  onChange: (credentials: Credentials) => void;
}

/** Applied when a field is left or Enter is pressed: every change asks for the schema again. */
export function CredentialsBar({ credentials, onChange }: Props) {
  function apply(event: SyntheticEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const read = (name: keyof Credentials) => String(fields.get(name)).trim();
    const changed = { token: read("token"), tenant: read("tenant") };
    if (changed.token !== credentials.token || changed.tenant !== credentials.tenant) {
      onChange(changed);
    }
  }

  return (
    <form
      className="graphiql-container credentials"
      autoComplete="off"
      spellCheck={false}
      onSubmit={apply}
      onBlur={apply}
    >
      <span className="brand">
        <img src={logo} alt="" />
        Parley
      </span>
      <label>
        Token
        <input name="token" className="token" defaultValue={credentials.token} />
      </label>
      <label>
        Tenant
        <input name="tenant" defaultValue={credentials.tenant} placeholder="the token's own" />
      </label>
      <button type="submit" hidden />
      {!credentials.token && (
        <p role="status">
          You are signed out. Get a token with{" "}
          <code>python -m ops token --user NAME --tenant SLUG</code>
        </p>
      )}
    </form>
  );
}
