import { expect, it } from "vitest";
import {
  replicatedReveal,
  replicatedServerShare,
  replicatedShare,
} from "../../../../../runtime/protocols/families/replicated/replicated-io.ts";
import { costOf, execute, fixed } from "../../../../harness/execute-protocol.ts";

const spec = { operands: [fixed([2], 12, -8, 8)], result: fixed([2], 12, -8, 8, 64), attrs: {} };
const x = Float64Array.of(-3.25, 7.5);

it.each([
  ["client", replicatedShare, [16, 0]],
  ["server", replicatedServerShare, [0, 16]],
] as const)("shares by one message of the %s, and every two parties can rebuild the input", (_, protocol, sent) => {
  const { client, server, dealer, metered, values } = execute(protocol, spec, [x]);
  const [clientToServer, serverToClient] = sent;
  expect(metered).toEqual({ rounds: 1, clientToServer, serverToClient, dealerToServer: 0 });
  expect(values).toEqual(x);
  const parts = [client, server, dealer].map((held) => {
    if (held.kind !== "replicated") throw new Error("expected replicated shares");
    return held.components;
  });
  // What two parties hold in common is the same at both.
  parts.forEach(([, next], k) => {
    expect(next.data).toEqual(parts[(k + 1) % 3]![0].data);
  });
});

it.each(["client", "server"])("reveals to the %s alone by one message", (to) => {
  const { client, server, dealer, values } = execute(replicatedReveal, { ...spec, attrs: { to } }, [x]);
  expect(values).toEqual(x);
  const known = { client, server, dealer };
  for (const [role, held] of Object.entries(known)) {
    if (held.kind !== "share") throw new Error("expected a share");
    expect(held.tensor.data !== undefined).toBe(role === to);
  }
  const { clientToServer, serverToClient } = costOf(replicatedReveal, { ...spec, attrs: { to } });
  expect([clientToServer, serverToClient]).toEqual(to === "server" ? [16, 0] : [0, 16]);
});
