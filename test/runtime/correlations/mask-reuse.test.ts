import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { reuses } from "../../harness/mask-reuse.ts";
import { pathsIn, programOf } from "../../harness/taint.ts";

/**
 * That a correlation is used once is kept in three places, for TypeScript has no linear types:
 *  - the type: a masked value's mask may have no share, so it cannot hide a second value; only a fresh mask is extended;
 *  - this check: a drawn mask is added to one value in the body that draws it;
 *  - run time (correlation-store.test.ts): a taken item is gone, drawing more or fewer items than prepared fails,
 *    and the dealer deals each query once.
 */
const root = join(import.meta.dirname, "../../..");
const files = pathsIn(root, "runtime/protocols");

const bodies = {
  sound: "const r = party.mask(x.shape, 8); return [add(x, r.share), party.extendMask(r, 12)];",
  "a kept mask hides a second value": "return [add(x, kept.mask.share)];",
  "a kept mask is extended": "return [party.extendMask(kept.mask, 12)];",
  "a mask is made by hand": "return [party.extendMask({ ...kept.mask, share: x }, 12)];",
  "a mask is added as if it were a tensor": "return [add(x, party.mask(x.shape, 8))];",
  "a kept mask's share is asserted": "return [add(x, kept.mask.share!)];",
  "one mask for two values": "const r = party.mask(x.shape, 8); return [add(x, r.share), add(y, r.share)];",
  "one mask for a list": "const r = party.mask(x.shape, 8); return [x, y].map((t) => add(t, r.share));",
  "one mask in a loop":
    "const r = party.mask(x.shape, 8); const out = []; for (const t of [x, y]) out.push(add(t, r.share)); return out;",
  "one client mask for two messages": "const a = party.clientMask(x.shape, 8); return [sub(x, a), sub(y, a)];",
} as const;
type Name = keyof typeof bodies;
const byType: readonly Name[] = [
  "a kept mask hides a second value",
  "a kept mask is extended",
  "a mask is made by hand",
  "a mask is added as if it were a tensor",
];
const byCheck: readonly Name[] = [
  "a kept mask's share is asserted",
  "one mask for two values",
  "one mask for a list",
  "one mask in a loop",
  "one client mask for two messages",
];

const names = Object.keys(bodies) as Name[];
const pathOf = (name: Name): string => join(root, `runtime/protocols/once-${names.indexOf(name)}.ts`);
const examples = new Map(
  names.map((name) => [
    pathOf(name),
    `import type { MaskedValue, Party } from "../core/party.ts";
import { add, sub } from "../ring/index.ts";
import type { RingTensor } from "../ring/tensor.ts";
void [add, sub];
export function body(party: Party, kept: MaskedValue, x: RingTensor, y: RingTensor): readonly RingTensor[] {
  void [party, kept, x, y];
  ${bodies[name]}
}
`,
  ]),
);
const program = programOf(files, examples);
const typeErrors = (name: Name): number => program.getSemanticDiagnostics(program.getSourceFile(pathOf(name))).length;

/** Masks that two parties hold, of which one adds it and the other takes it off: one value is hidden all the same. */
const bothEnds: Readonly<Record<string, string>> = {
  "handed-shares.ts adds zero a second time": "the client adds it to its share, the server takes it off its own",
  "private-lookup.ts adds r a second time": "the dealer hides its share with it, the client takes it off its own",
};

describe("a correlation is used once", () => {
  it("in every protocol, and the sound example", () => {
    expect(reuses(program, files).map((found) => found.replace(/^.*\/|:\d+/g, ""))).toEqual(Object.keys(bothEnds));
    expect([typeErrors("sound"), reuses(program, [pathOf("sound")])]).toEqual([0, []]);
  });
  it.each(byType)("the type refuses: %s", (name) => expect(typeErrors(name)).toBeGreaterThan(0));
  it.each(byCheck)("the types let pass, and the check refuses: %s", (name) => {
    expect(typeErrors(name)).toBe(0);
    expect(reuses(program, [pathOf(name)]).length).toBeGreaterThan(0);
  });
  it("every example is claimed by one of them", () => {
    expect([...byType, ...byCheck, "sound"].sort()).toEqual([...names].sort());
  });
});
