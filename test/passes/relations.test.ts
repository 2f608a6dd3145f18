import { afterAll, expect, test } from "vitest";
import { print } from "../../ir/text/print.ts";
import { createProver } from "../../passes/4-quantize/prove-ranges.ts";
import { copySources } from "../harness/edited-sources.ts";
import { drawWithin, escapedValue, type Prover, proveAll, relatedModule } from "../harness/related-module.ts";

const draws = 4;

/** What escapes first from the ranges that a prover gives in the modules of these seeds; how many it tightened. */
function check(prover: Prover, seeds: number): { readonly escaped: string | undefined; readonly tighter: number } {
  let tighter = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const related = relatedModule(seed);
    const proof = proveAll(related, prover);
    tighter += proof.tighter;
    for (let draw = 0; draw < draws; draw++) {
      const out = escapedValue(related, proof, drawWithin(related, seed * draws + draw));
      if (out !== undefined) return { escaped: `seed ${seed}: ${out}\n${print(related.module)}`, tighter };
    }
  }
  return { escaped: undefined, tighter };
}

test("every value lies in its proven range: 3000 modules, 12000 inputs", () => {
  const { escaped, tighter } = check(createProver, 3000);
  expect(escaped).toBeUndefined();
  // Relations say something in these modules: else the test would prove nothing.
  expect(tighter).toBeGreaterThan(800);
});

/** Slips that a reviewer of these sources would look for: each must let some value escape. */
const slips: readonly (readonly [name: string, file: string, from: string, to: string])[] = [
  ["operands broadcast from the left", "linear-form.ts", "along(axis + to.length - from.length)", "along(axis)"],
  [
    "a slice starts at 0",
    "linear-form.ts",
    "{ axis, start: starts![axis]!, step: steps![axis]! }",
    "{ axis, start: 0, step: steps![axis]! }",
  ],
  [
    "a transposition the other way round",
    "linear-form.ts",
    "(perm as readonly number[]).indexOf(axis)",
    "(perm as readonly number[])[axis]!",
  ],
  ["a sum exceeds its elements though others are negative", "order-facts.ts", "others === 0 ? 0 : others * bound", "0"],
  [
    "h·m ≤ hi·m for a negative m",
    "order-facts.ts",
    "if (context.rangeOf(op.operands[index]!).lo < 0) return none;",
    "",
  ],
  ["a root exceeds every square in its sum", "order-facts.ts", "context.plainBounds(rest).lo < 0", "false"],
  ["clip(x) ≥ x above its bound", "order-facts.ts", "-Math.max(0, range.hi - hi)", "0"],
  [
    "a sum weighs as much as a mean",
    "relations.ts",
    'op.name === "reduce-sum" ? rowLength(op, context.module) : 1',
    "1",
  ],
  [
    "f(a) ≤ f(b) for any a and b",
    "relations.ts",
    "if (upper(sumForms(a!, scaleForm(b!, -1)), depth - 1, query) > 0) return [];",
    "",
  ],
  ["part of a row as the whole row", "relations.ts", "&& rows.get(index.axis!) === shape[axis]", ""],
  [
    "minima as maxima",
    "order-facts.ts",
    '"reduce-min": (op, context) => ({ atLeast: [], atMost: [rowElements(op, context)] })',
    '"reduce-min": (op, context) => ({ atMost: [], atLeast: [rowElements(op, context)] })',
  ],
  [
    "every element of a row is its largest",
    "row-maxima.ts",
    "rows * Math.max(0, range.lo - lo)",
    "length * Math.max(0, range.lo - lo)",
  ],
  ["|u| ≤ √v for any u", "quotient-bounds.ts", "!isAtMost(aboveSquared, 1)", "false"],
  ["u/w ≤ 1 for any u", "quotient-bounds.ts", "factors.find((by) => isAtMost(form, by))", "factors[0]"],
];

const copies = copySources(["ir", "passes/4-quantize"]);
afterAll(copies.remove);

test.each(slips)("a prover with the slip %s lets a value escape", async (_name, file, from, to) => {
  const edit = [`passes/4-quantize/${file}`, from, to] as const;
  const loaded = await copies.load<{ readonly createProver: Prover }>("passes/4-quantize/prove-ranges.ts", edit);
  expect(check(loaded.createProver, 3000).escaped).toBeDefined();
});
