import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { contentReads, pathsIn, programOf, taintedControl } from "../harness/taint.ts";

const root = resolve(import.meta.dirname, "../..");
const protocols = pathsIn(root, "runtime/protocols");
const kernels = [...pathsIn(root, "runtime/ring"), ...pathsIn(root, "runtime/kernels")];

/** Kernels that do, and why this reveals nothing about a share. A kernel that no longer does must leave the table. */
const allowed: Readonly<Record<string, string>> = {
  "bits.ts bitWide": "an opened masked index, which both parties know, selects the lane",
  "convert.ts firstUnsafe": "a party's own plain integers, before they are shared: it refuses what no ring holds",
  "convert.ts fromReal": "a party's own plain numbers, before they are shared: likewise",
  "ggm.ts descend": "the side is a bit of an opened masked value, or the body visits both sides",
  "ggm.ts isBelowPoint": "an opened masked value determines the descent",
  "lookups.ts entriesFrom": "the position in a table is an opened masked index",
  "lookups.ts reversedTables": "an opened masked index rotates the table",
  "lookups.ts selectedSums": "an opened masked index rotates the table; every entry is read",
  "matmul.ts matmulInteger": "how many parts of 16 bits plain weights have, at the server that knows them",
  "pack.ts unpack": "padding of a received frame: zero whatever the secrets are, else the frame is refused",
  "packed-weight.ts packParts": "bounds of plain weights, at the server that knows them, select the kernel",
  "runtime/kernels/builder.ts bitLength": "a public number, written in a kernel",
  "runtime/kernels/builder.ts kernelBuilder": "likewise: a power of two is a shift",
  "runtime/kernels/interpret.ts arrayOf": "the length of an array",
  "packed-weight.ts packedWeight": "likewise",
  "portable-math.ts powerOfTwo": "exponents of opened masked values, and of masks at the dealer alone",
};

/** Bodies that look at a share, one way each. */
const broken: Readonly<Record<string, string>> = {
  "an if on an element": "if (x.tensor.data![0]! > 5) return x; return x;",
  "a destructured tensor": "const { data } = x.tensor; return data ? x : x;",
  "a renamed destructuring": "const { data: d } = x.tensor; return d ? x : x;",
  "a property by name": 'const key = "data" as const; return x.tensor[key] ? x : x;',
  "numbers from a kernel": "return toReal(x.tensor, 0)[0]! > 1 ? x : x;",
  "integers from a kernel": "return toIntegers(x.tensor).data![0] ? x : x;",
  "bytes from a kernel": "return pack(x.tensor)[0] ? x : x;",
  "a tensor taken apart": "return Object.values(x.tensor)[3] ? x : x;",
  "a type cast away": "return (x.tensor as unknown as { d: number[] }).d ? x : x;",
};
const twin = (body: string): string => `
import type { Share } from "../core/party.ts";
import { pack, toIntegers, toReal } from "../ring/index.ts";
void [pack, toIntegers, toReal];
export function run(x: Share): Share { ${body} }
`;

const examples = new Map(
  Object.values(broken).map((body, k) => [join(root, `runtime/protocols/broken-${k}.ts`), twin(body)]),
);

/** Kernels that look at a share where they should not. */
const brokenKernels: Readonly<Record<string, string>> = {
  branch: "for (let i = 0; i < out.length; i++) if (x[i]! & 1) out[i] = 1;",
  choice: "for (let i = 0; i < out.length; i++) { const v = x[i]!; out[i] = v > 7 ? 1 : 0; }",
  lookup: "for (let i = 0; i < out.length; i++) out[i] = table[x[i]! & 3]!;",
  loop: "for (let i = 0, n = x[0]!; i < n; i++) out[0] = i;",
  helper: "for (let i = 0; i < out.length; i++) out[i] = clamp(x[i]! + 1);",
};
const kernelTwins = new Map(
  Object.entries(brokenKernels).map(([name, body]) => [
    join(root, `runtime/ring/broken-${name}.ts`),
    `import { kernel } from "./kernel.ts";
import type { RingTensor } from "./tensor.ts";
const table = [3, 1, 2, 0];
const clamp = (v: number): number => (v > 9 ? 9 : v);
export const run = (a: RingTensor): RingTensor => kernel([a], a.shape, 8, (out, x) => { void [table, clamp]; ${body} });
`,
  ]),
);
const program = programOf([...protocols, ...kernels], new Map([...examples, ...kernelTwins]));

/** What reads a party's own plain integers before anything of them is shared, on its own machine, or reads nothing. */
const plainInputs: Readonly<Record<string, string>> = {
  "private-lookup.ts": "the client's own indices: it counts negative ones from the end, and gathers from its pad",
  "replayed-count.ts": "no body: whether operands have contents at all, which those of a party that counts do not",
};

test("no protocol can branch on a tensor: none reads contents, but of its own plain inputs", () => {
  const found = contentReads(program, protocols);
  const fileOf = (read: string): string => /([\w-]+\.ts):/.exec(read)![1]!;
  expect(found.filter((read) => !(fileOf(read) in plainInputs))).toEqual([]);
  expect([...new Set(found.map(fileOf))].sort()).toEqual(Object.keys(plainInputs).sort());
});

test.each(Object.keys(broken).map((name, k) => [name, k] as const))("the check catches %s", (_, k) => {
  expect(contentReads(program, [[...examples.keys()][k]!]).length).toBeGreaterThan(0);
});

test("kernels branch on and index by shapes, but for those that never meet a share", () => {
  const found = taintedControl(program, kernels);
  expect([...found.keys()].sort(), [...found.values()].flat().join("\n")).toEqual(Object.keys(allowed).sort());
});

test.each([...kernelTwins.keys()])("the check catches %s", (path) => {
  expect(taintedControl(program, [path]).size).toBe(1);
});
