import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cost } from "../../compiler/api/cost.ts";
import type { ModelOptions } from "../../compiler/api/model-options.ts";
import { run } from "../../compiler/api/run.ts";
import { deal, query, serve } from "../../compiler/api/services.ts";
import { initKeys } from "../../compiler/keys/init-keys.ts";
import { type LocalSession, openLocal } from "../../compiler/run/local-session.ts";
import { openOnnxSession } from "../../compiler/run/onnx-session.ts";
import { openPlain, type PlainProgram } from "../../compiler/run/plain.ts";
import type { TypedTensor } from "../../compiler/tensors/npy.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { tensor } from "../../ir/tensor.ts";
import { reals } from "../harness/execute-protocol.ts";
import { build } from "./compiled.ts";

/*
 * A network of 8, 16 and 3 neurons whose client shares any |x| ≤ 10.6. Its first layer is bounded by what calibration
 * inputs reach, so that an input within its own bounds can drive it far out of them.
 */
const dir = mkdtempSync(join(tmpdir(), "marillc-guard-"));
afterAll(() => rmSync(dir, { recursive: true }));
const fixture = join(import.meta.dirname, "../../fixtures/cases/input-beyond-range");
const model = join(fixture, "model.onnx");
const options: ModelOptions = {
  model,
  base: model,
  private: ["*"],
  reveal: { y: "client" },
  calibrate: join(fixture, "calib"),
};
const guarded = join(dir, "guarded");
const bare = join(dir, "bare");
const three = join(dir, "three");
const { manifest } = build(guarded, { ...options, guard: ["all"] });
const { manifest: without } = build(bare, options);
build(three, { ...options, guard: ["all"], setting: "3pc" });

const drawn = (magnitude: number, trial: number): TypedTensor => ({
  dtype: "float32",
  tensor: tensor([2, 8], reals(16, -magnitude, magnitude, trial)),
});
/** Of the corners of what the client may share, the one that drives y farthest: to 10, with bounds of 3.3. */
const driving: TypedTensor = {
  dtype: "float32",
  tensor: tensor(
    [2, 8],
    Array.from({ length: 16 }, (_, k) => (k % 8 === 7 ? 10.6 : -10.6)),
  ),
};

describe.each([
  ["a dealer", guarded],
  ["three parties", three],
])("with %s", (_, at) => {
  let session: LocalSession;
  let plain: PlainProgram;
  const ask = async (x: TypedTensor) => {
    session ??= await openLocal({ dir: at, inProcess: true, clamp: true });
    plain ??= await openPlain(at, { clamp: true });
    const inputs = new Map([["x", x]]);
    const { outputs, trusted } = await session.query(inputs);
    return { y: outputs.get("y")!.tensor.data, trusted, departures: await plain.departures(inputs), inputs };
  };
  afterAll(async () => {
    await session.end();
    await plain.release();
  });

  test("no answer is doubted for which every value stays within its bounds", async () => {
    for (let trial = 0; trial < 60; trial++) {
      const { trusted, departures } = await ask(drawn(2.7, trial));
      expect(departures).toEqual([]);
      expect(trusted).toBe(true);
    }
  });

  test("a trusted answer is that of the interpreter, and every other one is told, inside and beyond the bounds", async () => {
    let doubted = 0;
    for (let trial = 0; trial < 120; trial++) {
      const { y, trusted, departures, inputs } = await ask(drawn([6, 12, 24, 40][trial % 4]!, trial));
      if (!trusted) {
        expect(departures.length).toBeGreaterThan(0);
        doubted += 1;
        continue;
      }
      const expected = (await plain.run(inputs)).outputs.get("y")!.tensor.data;
      // Two truncations, each off by a unit of 2⁻¹².
      for (const [k, value] of y.entries()) expect(Math.abs(value - expected[k]!)).toBeLessThan(12 * 2 ** -12);
    }
    expect(doubted).toBeGreaterThan(10);
    expect(doubted).toBeLessThan(110);
  });
});

test("without a guard noise looks like an answer, with one it is refused by run and by query", async () => {
  const x = { shape: driving.tensor.shape, data: driving.tensor.data };
  const asked = { inputs: { x }, clamp: true, inProcess: true, guard: false } as const;
  const silent = await run({ build: bare, ...asked });
  expect(silent.trusted).toBeUndefined();
  const reference = await openOnnxSession(model);
  const right = (await reference.run(new Map([["x", driving]]))).get("y")!.tensor.data;
  const errors = silent.outputs.y!.data.map((value, k) => Math.abs(value - right[k]!));
  expect(Math.max(...errors)).toBeGreaterThan(1);
  const shown: string[] = [];
  const marked = await run({ build: guarded, ...asked, onWarning: (line) => shown.push(line) });
  expect(marked.trusted).toBe(false);
  expect(shown.join("\n")).toContain(
    "this answer cannot be trusted: a value of one of 2 guarded layers left its range",
  );

  const { folders } = await initKeys(join(dir, "keys"));
  const stop = new AbortController();
  const listening = { listen: "127.0.0.1:0", signal: stop.signal };
  const dealer = await deal({ ...listening, identity: folders.dealer });
  const at = { host: dealer.host, port: dealer.port };
  const server = await serve({ ...listening, build: guarded, dealer: at, identity: folders.server });
  const remote = { build: guarded, server: { host: server.host, port: server.port }, dealer: at };
  const client = { ...remote, identity: folders.client };
  const told: string[] = [];
  const onWarning = (line: string): void => void told.push(line);
  const refused = await query({ ...client, inputs: { x }, clamp: true, onWarning }).catch((error: unknown) => error);
  expect(told.join("\n")).not.toContain("no guard");
  // Said before it connects, once: nothing in the answer would show it.
  await expect(query({ ...client, build: bare, inputs: { x }, clamp: true, onWarning })).rejects.toThrow();
  expect(told.filter((line) => line.startsWith("this build has no guard: "))).toHaveLength(1);
  expect(refused).toBeInstanceOf(DiagnosticError);
  expect((refused as DiagnosticError).diagnostics[0]).toMatchObject({
    code: "MRL0816",
    because: ["/0/Gemm", "/2/Gemm"],
  });
  const nevertheless = await query({ ...client, inputs: { x }, clamp: true, guard: false });
  expect(nevertheless.trusted).toBe(false);
  const fine = await query({ ...client, inputs: { x: { shape: [2, 8], data: new Float64Array(16).fill(0.5) } } });
  expect(fine.trusted).toBe(true);
  stop.abort();
  await Promise.all([dealer.closed, server.closed]);
});

test("the manifest says what is guarded, and what the client learns", () => {
  expect(manifest.guard).toEqual({ value: "guard", headroom: 8, elements: 38, layers: ["/0/Gemm", "/2/Gemm"] });
  expect(manifest.reveals.map(({ value }) => value)).toEqual(["y"]);
  expect(manifest.roles.client).toContain("learns one bit: whether a guarded value left its range");
  expect(manifest.caveats.join()).toContain("the client learns one bit");
  expect(without.guard).toBeUndefined();
  expect(without.caveats.join()).toContain("this build has no guard");
});

test("a guard of one layer checks that layer, and costs what `cost` says", async () => {
  const at = join(dir, "one");
  const one = build(at, { ...options, guard: ["/0/*"] });
  expect(one.manifest.guard).toMatchObject({ elements: 32, layers: ["/0/Gemm"] });
  const [all, some, none] = await Promise.all([guarded, at, bare].map((path) => cost({ build: path })));
  expect(none!.guard).toBeUndefined();
  expect(some!.guard!.elements).toBe(32);
  expect(some!.guard!.offline.bytes["dealer→server"]).toBeLessThan(all!.guard!.offline.bytes["dealer→server"]!);
  expect(all!.guard!.online.rounds).toBe(all!.totals.online.rounds - none!.totals.online.rounds);
});

test.each([
  ["a layer that does not exist", { guard: ["/9/*"] }, "MRL0657", "/0/Gemm"],
  ["a published system", { guard: ["all"], preset: "crypten" }, "MRL0656", "--preset crypten"],
])("%s is refused", (_, more, code, named) => {
  const refused = (() => {
    try {
      return build(join(dir, "refused"), { ...options, ...more });
    } catch (error) {
      return error;
    }
  })();
  expect(refused).toBeInstanceOf(DiagnosticError);
  const [first] = (refused as DiagnosticError).diagnostics;
  expect(first!.code).toBe(code);
  expect(JSON.stringify(first)).toContain(named);
});
