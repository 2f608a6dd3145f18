import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { verify } from "../../ir/verify.ts";
import type { Role } from "../../runtime/core/steps.ts";
import type { Program } from "../../runtime/program/program.ts";
import { emitProgram } from "../../targets/program/emit.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { createIdentifiers } from "../../targets/program/literals.ts";
import { facts, golden, load, module, plan, renamed, roles, runTogether, transpiled, typeErrors } from "./programs.ts";

const emitted = Object.fromEntries(roles.map((role) => [role, emitProgram(plan, role, facts)])) as Readonly<
  Record<Role, ReturnType<typeof emitProgram>>
>;
const everywhere = (program: Program): Readonly<Record<Role, Program>> => ({
  client: program,
  server: program,
  dealer: program,
});

test("the module of the golden programs is valid", () => {
  expect(verify(module)).toEqual([]);
});

describe.each(roles)("the %s's program", (role) => {
  test("equals the golden program", async () => {
    await expect(emitted[role].ts).toMatchFileSnapshot(join(golden, `gated.${role}.ts`));
  });

  test("type-checks under the project's options", () => {
    expect(typeErrors(emitted[role].ts)).toEqual([]);
  });

  test("is the same each time, and its JavaScript is the text without types", () => {
    expect(emitProgram(plan, role, facts)).toEqual(emitted[role]);
    // Both in the layout of TypeScript, comments included.
    expect(transpiled(emitted[role].ts)).toBe(transpiled(emitted[role].js));
    expect(emitted[role].js).not.toMatch(/satisfies|as const|import/);
  });

  test("imports nothing", () => {
    expect(emitted[role].js).not.toMatch(/\b(import|require)\b/);
    expect(emitted[role].js).toMatch(new RegExp(`^// ${role} program of gated: 2pc-dealer, \\d+ rounds\\.`));
  });
});

test("the type check refuses a program that uses undeclared names", () => {
  const { ts } = emitted.client;
  expect(typeErrors(ts.replace('weights["q.lora_A"]', 'weights["q.lora_C"]'))).not.toEqual([]);
  expect(typeErrors(ts.replace("inputs.x", "inputs.y"))).not.toEqual([]);
  expect(typeErrors(ts.replace("maskedOpen,", "maskedOpened,"))).not.toEqual([]);
});

describe("running", () => {
  let programs: Readonly<Record<Role, Program>>;
  beforeAll(async () => {
    const loaded = await Promise.all(roles.map(async (role) => [role, await load(emitted[role].js)] as const));
    programs = Object.fromEntries(loaded) as Readonly<Record<Role, Program>>;
  });

  test("the emitted programs do what the plan does: same shares, same messages, same dealt bytes", () => {
    const expected = runTogether(everywhere(programFromPlan(plan, facts.hash)));
    expect(runTogether(programs)).toEqual(expected);
    expect(expected.metered).toEqual(expected.counted);
  });

  test("the emitted programs declare what the plan declares", () => {
    for (const role of roles) {
      const { body, ...declared } = programs[role];
      const { body: _, ...wanted } = programFromPlan(plan, facts.hash);
      expect(declared).toEqual(wanted);
      expect(body).toBeTypeOf("function");
    }
  });

  test("the comments state the counted traffic", () => {
    const { counted } = runTogether(programs);
    const sum = (text: string, verb: string): number =>
      [...text.matchAll(new RegExp(`^    //.* ${verb} ([\\d,]+) B`, "gm"))].reduce(
        (total, [, bytes]) => total + Number(bytes!.replaceAll(",", "")),
        0,
      );
    expect(sum(emitted.client.ts, "sends")).toBe(counted.clientToServer);
    expect(sum(emitted.client.ts, "receives")).toBe(counted.serverToClient);
    expect(sum(emitted.server.ts, "sends")).toBe(counted.serverToClient);
    expect(sum(emitted.server.ts, "delivers")).toBe(counted.dealerToServer);
    expect(sum(emitted.dealer.ts, "deals the server")).toBe(counted.dealerToServer);
    const rounds = [...emitted.client.ts.matchAll(/^ {4}\/\/ (\d+) rounds?/gm)].map(([, n]) => Number(n));
    expect(rounds.reduce((a, b) => a + b)).toBe(counted.rounds);
  });
});

describe("hostile names", () => {
  const payloads = [
    '"; globalThis.hostile = 1; //',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an attack
    "`${globalThis.hostile = 1}`",
    "\nglobalThis.hostile = 1;\n",
    "\r\u2028globalThis.hostile = 1\u2029//",
    "*/ globalThis.hostile = 1; /*",
    "*/}); globalThis.hostile = 1",
    "\\",
    "\\u0022; globalThis.hostile = 1",
    "@ts-nocheck",
    "\u202e} ;1 = elitsoh",
    "\u0000",
    "",
    "class",
    "yield",
    "await",
    "arguments",
    "eval",
    "protocols",
    "party",
    "specs",
    "parallel",
    "maskedOpen",
    "constructor",
    "toString",
    "1x",
    "x.y",
    "x_y",
    "é",
    "日本",
  ];
  const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);
  // Results and weights open streams of randomness: their labels are in one alphabet.
  const labels = new Set([...plan.steps.flat().map(({ op }) => op.result), ...Object.keys(plan.weights)]);
  // The payloads rotate, so that each replaces every name that may have it.
  const originals = ["x", "k", "q.lora_A", "o", "gated", "logits", "note"];

  test.each([...originals.keys()])("never become code (rotation %i)", async (turn) => {
    const names = new Map<string, string>();
    const given = new Set<string>();
    const rename = (name: string): string => {
      const known = names.get(name);
      if (known !== undefined) return known;
      const at = originals.indexOf(name);
      const may = labels.has(name) ? payloads.filter(isAscii) : payloads;
      let payload = at === turn % originals.length ? "__proto__" : may[(names.size + 5 * turn) % may.length]!;
      while (given.has(payload)) payload = `${payload} ${given.size}`;
      given.add(payload);
      names.set(name, payload);
      return payload;
    };
    const hostile = renamed(plan, rename);
    const { ts, js } = emitProgram(hostile, "server", facts);
    expect(ts.replace("…; do not edit", "")).toMatch(/^[\n\x20-\x7e]*$/);
    expect(typeErrors(ts)).toEqual([]);
    const program = await load(js);
    expect(runTogether(everywhere(program))).toEqual(runTogether(everywhere(programFromPlan(hostile, facts.hash))));
    expect(Object.keys(program.weights)).toEqual(Object.keys(hostile.weights));
    expect(globalThis).not.toHaveProperty("hostile");
    expect({}).not.toHaveProperty("shape");
  });

  test.each(payloads.filter((payload) => !isAscii(payload)))("%j names no result and no weight", (payload) => {
    const naming = (label: string) => renamed(plan, (name) => (name === label ? payload : name));
    for (const label of labels) {
      expect(() => emitProgram(naming(label), "server", facts)).toThrow(RangeError);
    }
    // Nor would such a program run.
    const program = programFromPlan(naming(plan.steps[0]![0]!.op.result), facts.hash);
    expect(() => runTogether(everywhere(program))).toThrow("a label is printable ASCII");
  });

  test("identifiers are unique, and none is a reserved word", () => {
    const identifier = createIdentifiers(["maskedOpen"]);
    const names = ["x.y", "x_y", "x y", "class", "_class", "maskedOpen", "party", "9", "", "é", "ü", "__proto__"];
    const made = names.map(identifier);
    expect(new Set(made).size).toBe(names.length);
    for (const name of made) {
      expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/);
      expect(() => new Function(`"use strict"; const ${name} = 1; return function* () { ${name}; };`)).not.toThrow();
    }
    expect(names.map(identifier)).toEqual(made);
    expect(made).not.toContain("party");
    expect(made).not.toContain("maskedOpen");
  });
});
