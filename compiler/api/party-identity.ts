import { type Diagnostic, fail, formatDiagnostic } from "../../ir/diagnostic.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { Identity } from "../../runtime/transport/node/index.ts";
import { readIdentity } from "../keys/index.ts";
import { callback, type Fields, required, text } from "./fields.ts";

/** Options of every party of a deployment. */
export interface PartyOptions {
  /** This party's identity folder, made by `createKeys` or `marillc keys init`: its key, its certificate and its peers. */
  readonly identity: string;
  /** Called with each warning, one line: for example, that others can read the key file. */
  readonly onWarning?: (line: string) => void;
}

export const partyFields: Fields<PartyOptions> = { identity: required(text), onWarning: callback };

/** @throws DiagnosticError MRL0738 for the identity of another role */
export async function identityOf({ identity: dir, onWarning }: PartyOptions, role: Role): Promise<Identity> {
  const warn = (diagnostic: Diagnostic): void => onWarning?.(formatDiagnostic(diagnostic).replace(/^error/, "warning"));
  const identity = await readIdentity(dir, warn);
  if (identity.role === role) return identity;
  return fail({
    code: "MRL0738",
    message: `expected the identity of the ${role}, found that of the ${identity.role}`,
    at: dir,
    help: `name the ${role}'s folder of \`marillc keys init <dir>\`: --identity <dir>/${role}`,
  });
}
