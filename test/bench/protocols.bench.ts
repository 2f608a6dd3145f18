import type { SharedValue } from "../../runtime/core/party.ts";
import type { Transfer } from "../../runtime/core/steps.ts";
import { createCorrelationStore } from "../../runtime/correlations/correlation-store.ts";
import { dealerParty } from "../../runtime/correlations/dealer.ts";
import { onlineParty, preparingParty } from "../../runtime/correlations/preparing-party.ts";
import type { Fixed, Spec } from "../../runtime/protocols/kit/define-protocol.ts";
import { protocols } from "../../runtime/protocols/registry.ts";
import { deferFrom } from "../../runtime/ring/deferred.ts";
import { intTensor, metaTensor, pack, sizeOf, unpack } from "../../runtime/ring/index.ts";
import { bodyOf, fixed, quantizeToGrid, reals, resolveWidths } from "../harness/execute-protocol.ts";
import { drain, seedOf, tags } from "../harness/run-parties.ts";

/*
 * CPU milliseconds of one protocol on real shapes: of the dealer, of one party that prepares, and of one party online.
 * By loops, as small tensors are computed, and by kernels; the least of five runs each, in turn.
 */

const one = (operand: Fixed, result: Fixed): Spec => ({ operands: [operand], result, attrs: {} });
const cases: readonly (readonly [title: string, protocol: string, spec: Spec])[] = [
  ["GELU 128×3072", "fourier.gelu", one(fixed([128, 3072], 12, -20, 20), fixed([128, 3072], 12, -1, 20, 19))],
  ["sigmoid 128×768", "fourier.sigmoid", one(fixed([128, 768], 12, -20, 20), fixed([128, 768], 12, 0, 1, 15))],
  ["ReLU 100,000", "masked.relu", one(fixed([100_000], 12, -20, 20), fixed([100_000], 12, 0, 20, 19))],
  [
    "product 100,000",
    "masked.mul",
    {
      operands: [fixed([100_000], 12, -20, 20), fixed([100_000], 12, -20, 20)],
      result: fixed([100_000], 24, -400, 400, 35),
      attrs: {},
    },
  ],
];

const phases = ["deal", "prepare", "online"] as const;
type Times = Record<(typeof phases)[number], number>;

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function run(name: string, spec: Spec, query: number): Times {
  const protocol = protocols.get(name)!;
  const resolved = resolveWidths(protocol, spec);
  const inputs = resolved.operands.map(({ shape, lo, hi, scale }) =>
    intTensor(shape, quantizeToGrid(reals(sizeOf(shape), lo, hi), scale, 2 ** scale)),
  );
  const body = bodyOf(protocol, resolved, inputs);
  const delivered = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
  const seeds = { clientSeed: seedOf(1, tags.client), serverSeed: seedOf(1, tags.server) };
  const dealer = dealerParty({
    ...{ ...seeds, query, store: createCorrelationStore() },
    sendToServer: (_, packed) => delivered.server.push(packed),
    sendToClient: (_, packed) => delivered.client.push(packed),
  });
  const deal = cpuMs(() => drain(body(dealer, "deal")));
  const stores = { client: createCorrelationStore(), server: createCorrelationStore() };
  const roles = ["client", "server"] as const;
  const prepare = cpuMs(() => {
    for (const role of roles) {
      const sources = { seed: seedOf(1, tags[role]), sharedSeed: seedOf(1, tags.joint), privateSeed: seedOf(1, 5) };
      const dealerMessages = { take: () => delivered[role].shift()! };
      drain(body(preparingParty({ role, ...sources, query, store: stores[role], dealerMessages }), "prepare"));
    }
  });
  const online = cpuMs(() => {
    const steps = roles.map((role) => body(onlineParty(role, stores[role]), "online"));
    let states = steps.map((each) => each.next());
    while (states.every((state) => !state.done)) {
      const rounds = states.map((state) => state.value as readonly Transfer[]);
      const answers = rounds.map((round) => round.map(({ tensor }) => metaTensor(tensor.shape, tensor.width)));
      rounds[0]!.forEach(({ from, to }, k) => {
        const { tensor } = rounds[from === "client" ? 0 : 1]![k]!;
        answers[to === "client" ? 0 : 1]![k] = unpack(pack(tensor), tensor.shape, tensor.width);
      });
      states = steps.map((each, k) => each.next(answers[k]!));
    }
    for (const { value } of states) {
      const result = value as SharedValue;
      if (result.kind === "share") pack(result.tensor);
    }
  });
  return { deal, prepare: prepare / 2, online: online / 2 };
}

const usual = deferFrom.elements;
const ways = { loops: Number.POSITIVE_INFINITY, kernels: usual };

console.log(`\n${"CPU ms".padEnd(28)}${phases.map((phase) => phase.padStart(10)).join("")}`);
for (const [title, name, spec] of cases) {
  const least = { loops: {} as Partial<Times>, kernels: {} as Partial<Times> };
  for (let query = 0; query < 5; query++) {
    for (const way of ["loops", "kernels"] as const) {
      deferFrom.elements = ways[way];
      const times = run(name, spec, query);
      for (const phase of phases) least[way][phase] = Math.min(least[way][phase] ?? times[phase], times[phase]);
    }
  }
  for (const way of ["loops", "kernels"] as const) {
    const columns = phases.map((phase) => least[way][phase]!.toFixed(1).padStart(10)).join("");
    console.log(`${`${title}, ${way}`.padEnd(28)}${columns}`);
  }
}
