import { makeKeyPair } from "../../../compiler/keys/x509.ts";
import type { Role } from "../../../runtime/core/steps.ts";
import { fingerprintOf, type Identity } from "../../../runtime/transport/node/identity.ts";

const day = 86_400_000;

/** A certificate that is valid from `from` to `to`, in days from now. */
export const pair = (name: string, from = -1, to = 1) =>
  makeKeyPair(name, new Date(Date.now() + from * day), new Date(Date.now() + to * day));

/** Three parties that know each other, unless the certificate of one is given instead. */
export async function identities(
  given: Partial<Record<Role, { readonly key: string; readonly certificate: string }>> = {},
): Promise<Record<Role, Identity>> {
  const roles = ["client", "server", "dealer"] as const;
  const pairs = await Promise.all(roles.map(async (role) => given[role] ?? (await pair(role))));
  const of = (role: Role): Identity => ({
    role,
    ...pairs[roles.indexOf(role)]!,
    peers: roles.flatMap((each, k) =>
      each === role ? [] : [{ role: each, fingerprint: fingerprintOf(pairs[k]!.certificate) }],
    ),
  });
  return { client: of("client"), server: of("server"), dealer: of("dealer") };
}
