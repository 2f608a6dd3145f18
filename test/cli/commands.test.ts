import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onnxFields, splitFields, stringsOf } from "../../compiler/onnx/format/protobuf-edit.ts";
import { readModel } from "../../compiler/onnx/normalize/read-model.ts";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import { schemas } from "../../compiler/report/text/schemas.ts";
import { readInputFiles } from "../../compiler/run/input-files.ts";
import type { RunResult } from "../../compiler/run/run-result.ts";
import { readNpz } from "../../compiler/tensors/npz.ts";
import { parse } from "../../ir/text/parse.ts";
import { print } from "../../ir/text/print.ts";
import { declaredError } from "../../scripts/tables/declared-error.ts";
import { runOnnx } from "../compiler/student/student-models.ts";
import { largestDifference } from "../end-to-end/declared-error.ts";
import { blockedModel, type TinyFiles, tiny, writeTiny } from "../end-to-end/tiny-model.ts";
import { violations } from "./json-schema.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-cli-"));
const build = join(dir, "build");
let files: TinyFiles;
let compiling: readonly string[];

beforeAll(async () => {
  files = writeTiny(join(dir, "model"));
  compiling = [files.model, "--base", files.base, "--reveal", "logits:client", "--calibrate", files.calibration];
  const { code, err } = await marillc("compile", ...compiling, "-o", build);
  expect(err).toBe("");
  expect(code).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true }));

const run = (...more: readonly string[]) =>
  marillcJson<RunResult>("run", build, "--input", `tokens=${files.input}`, "--in-process", ...more);

test("what compile and inspect print is of the published schema", async () => {
  const { json } = await marillcJson<{ files: Record<string, number> }>("compile", ...compiling, "-o", build);
  expect(Object.keys(json.files)).toContain("server/program.ts");
  await marillcJson("inspect", build);
});

test("check passes, and counts operators by kind", async () => {
  const { code, json } = await marillcJson<{ passed: boolean; operators: readonly object[] }>("check", files.model);
  expect(code).toBe(0);
  expect(json.passed).toBe(true);
  expect(json.operators).toContainEqual({ operator: "MatMul", count: 2, supported: true });
  expect((await marillc("check", files.model)).out).toMatch(/PASSED\n$/);
});

test("check names every blocker at once, with its layer and what to do", async () => {
  const file = join(dir, "blocked.onnx");
  writeFileSync(file, blockedModel());
  interface Checked {
    readonly passed: boolean;
    readonly operators: readonly { operator: string; supported: boolean }[];
    readonly blockers: readonly { code: string; message: string; at: string; help: string }[];
  }
  const { code, json } = await marillcJson<Checked>("check", file);
  expect(code).toBe(1);
  expect(json.passed).toBe(false);
  expect(json.operators.filter(({ supported }) => !supported).map(({ operator }) => operator)).toEqual([
    "Bernoulli",
    "Multinomial",
  ]);
  expect(json.blockers.map(({ at }) => /layers\.\d/.exec(at)?.[0])).toEqual(["layers.0", "layers.1"]);
  expect(json.blockers[0]!.help).toContain("evaluation mode");
  expect((await marillc("check", file)).out).toMatch(/FAILED: 2 blockers, 2 reasons\n$/);
});

test("check says node, operator and layer of a blocker in fields of their own", async () => {
  const file = join(dir, "blocked.onnx");
  const { json } = await marillcJson<{ blockers: readonly object[] }>("check", file, "--annotate", join(dir, "b.onnx"));
  expect(json.blockers[0]).toMatchObject({ node: "/layers.0/Bernoulli", operator: "Bernoulli", layer: "layers.0" });
  const notes = new Map(readModel(join(dir, "b.onnx")).graph.nodes.map(({ op, metadata }) => [op, metadata]));
  expect(notes.get("Bernoulli")!.get("marillc.blocker")).toMatch(/^MRL0401: the operator Bernoulli/);
  expect(notes.get("Relu")!.get("marillc.blocker")).toBeUndefined();
});

test("check --annotate writes a copy that runs the same and says who knows what, how and at which cost", async () => {
  const annotated = join(dir, "model", "annotated.onnx");
  const { code } = await marillcJson("check", ...compiling, "--annotate", annotated);
  expect(code).toBe(0);
  const before = readModel(files.model).graph;
  const { nodes, initializers } = readModel(annotated).graph;
  expect(nodes.map(({ name }) => name)).toEqual(before.nodes.map(({ name }) => name));
  const notes = nodes.map(({ metadata }) => Object.fromEntries(metadata));
  const known = notes.map((note) => note["marillc.known_to"]);
  expect(known).toEqual(["client", "nobody alone", "nobody alone", "nobody alone"]);
  expect(notes[0]!["marillc.protocol"]).toBeUndefined();
  const { json: cost } = await marillcJson<CostReport>("cost", ...compiling);
  const first = cost.operators.filter(({ origin }) => origin === "/layers.0/first/MatMul");
  const online = first.flatMap(({ bytes }) => Object.values(bytes)).reduce((sum, count) => sum + count, 0);
  expect(online).toBeGreaterThan(0);
  expect(notes[1]).toMatchObject({
    "marillc.layer": "layers.0",
    "marillc.protocol": [...new Set(first.map(({ protocol }) => protocol))].join(", "),
    "marillc.online_bytes": String(online),
  });
  expect([...initializers.keys()]).toEqual([...before.initializers.keys()]);
  const [embed] = tensorNotes(annotated);
  expect(embed).toMatchObject({
    "marillc.known_to": "everyone",
    "marillc.why": expect.stringContaining("equal to embed"),
  });
  // What runs models reads it, and computes what it did.
  const inputs = readInputFiles([`tokens=${files.input}`]);
  expect(await runOnnx(annotated, inputs)).toEqual(await runOnnx(files.model, inputs));
  // A second time the notes are exchanged, not added; the model itself is never written over.
  const again = join(dir, "again.onnx");
  expect((await marillc("check", annotated, ...compiling.slice(1), "--annotate", again)).code).toBe(0);
  expect(readFileSync(again)).toEqual(readFileSync(annotated));
  expect((await marillc("check", files.model, "--annotate", files.model)).code).toBe(2);
  expect((await marillc("check", build, "--annotate", again)).code).toBe(2);
});

/** metadata_props of the initializers. */
function tensorNotes(file: string): readonly Readonly<Record<string, string>>[] {
  const of = (message: Uint8Array, number: number): Uint8Array[] =>
    splitFields(message).flatMap((field) => (field.number === number ? [field.body] : []));
  const [graph] = of(readFileSync(file), onnxFields.model.graph);
  return of(graph!, onnxFields.graph.initializer).map((tensor) =>
    Object.fromEntries(of(tensor, 16).map((entry) => [stringsOf(entry, 1)[0]!, stringsOf(entry, 2)[0]!])),
  );
}

test("inspect shows the module after each pass that changes it, and the manifest of a build", async () => {
  for (const stage of ["import", "quantize", "schedule"]) {
    const { code, out } = await marillc("inspect", ...compiling, "--stage", stage);
    expect(code).toBe(0);
    expect(out).toContain(`stage ${stage}`);
  }
  const { out } = await marillc("inspect", build);
  expect(out).toContain("differs from first.weight of base.onnx");
  expect(out).toContain("opened  logits");
});

test("inspect tells of every weight who knows it and why, to people and to programs", async () => {
  interface Inspected {
    readonly weights: readonly { name: string; label: string; why: string; sha256?: string; moved?: number }[];
  }
  const { json } = await marillcJson<Inspected>("inspect", ...compiling);
  const [embed, first] = json.weights;
  expect(embed).toMatchObject({ name: "embed.weight", label: "public", why: `equal to embed.weight of ${files.base}` });
  expect(embed!.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(first).toMatchObject({ name: "first.weight", label: "server", shape: [8, 16], moved: 128 });
  const { out } = await marillc("inspect", ...compiling);
  expect(out).toContain(embed!.sha256);
  expect(out).toContain("in 128 of 128 elements");
  // The program above it can still be read.
  expect(print(parse(out))).toBe(out.slice(0, out.indexOf("\n//")));
  const { manifest, weights } = (await marillcJson<Inspected & { manifest: Inspected }>("inspect", build)).json;
  expect(weights).toEqual(manifest.weights);
  // How much training moved is told to nobody else.
  expect(JSON.stringify(manifest)).not.toContain("moved");
});

test("a run is as the interpreter of the same program, up to its rounding, and as predicted", async () => {
  const [secure, plain] = [await run("--repeat", "2"), await run("--plain")];
  expect(secure.code).toBe(0);
  expect(plain.code).toBe(0);
  const { predicted, measured, queries, outputs } = secure.json;
  expect(queries).toBe(2);
  expect(measured!.rounds).toBe(predicted!.rounds);
  expect(measured!.bytes).toEqual(predicted!.bytes);
  const [logits, exact] = [outputs.logits!, plain.json.outputs.logits!];
  expect(logits).toMatchObject({ shape: [1, tiny.length, tiny.vocabulary], type: "f32" });
  const declared = await declaredError(build, files.input);
  expect(largestDifference(logits.data, exact.data)).toBeLessThanOrEqual(declared);
});

test("a shaped link changes nothing but the time", async () => {
  const [memory, shaped] = [await run(), await run("--link", "1000x20")];
  expect(shaped.json.measured!.bytes).toEqual(memory.json.measured!.bytes);
  // Five rounds of half a round trip, less what flows one way twice.
  expect(shaped.json.measured!.seconds.online).toBeGreaterThan(0.04);
});

test("outputs are written as .npz, in a new folder too", async () => {
  const file = join(dir, "new/folder/out.npz");
  const { json } = await run("--output", file);
  const { tensor } = readNpz(readFileSync(file), file).get("logits")!;
  expect([...tensor.data]).toEqual(json.outputs.logits!.data.map(Math.fround));
});

interface Errors {
  readonly error: readonly { readonly code: string; readonly message: string }[];
}

test("inputs are checked before anything runs", async () => {
  const wrong = join(dir, "wrong.json");
  writeFileSync(wrong, JSON.stringify({ tokens: [[1, 2, 3]], other: [1] }));
  const given = await marillcJson<Errors>("run", build, "--in-process", "--input", wrong);
  expect(given.code).toBe(1);
  expect(given.json.error.map(({ code }) => code)).toEqual(["MRL0812", "MRL0811"]);
  const none = await marillcJson<Errors>("run", build, "--in-process");
  expect(none.json.error.map(({ code }) => code)).toEqual(["MRL0811"]);
});

test("values that the model cannot take are the user's fault", async () => {
  const wrong = join(dir, "outside.json");
  writeFileSync(wrong, JSON.stringify({ tokens: { dtype: "int64", shape: [1, tiny.length], data: [1, 2, 3, 99] } }));
  const { code, json } = await marillcJson<Errors>("run", build, "--in-process", "--input", wrong);
  expect(code).toBe(1);
  expect(json.error.map((each) => each.code)).toEqual(["MRL0814"]);
  // ONNX would take it for the last token.
  writeFileSync(wrong, JSON.stringify({ tokens: { dtype: "int64", shape: [1, tiny.length], data: [1, 2, 3, -1] } }));
  const negative = await marillc("run", build, "--in-process", "--input", wrong);
  expect(negative.code).toBe(1);
  expect(negative.err).toContain("MRL0814");
  expect(negative.err).toContain('input "tokens" selects rows of a table, which count from 0, and has -1');
});

test("an output that cannot be written is named", async () => {
  const { code, json } = await marillcJson<Errors>(
    "run",
    build,
    "--in-process",
    "--input",
    files.input,
    "--output",
    dir,
  );
  expect(code).toBe(1);
  expect(json.error[0]).toMatchObject({ code: "MRL0804", at: dir });
});

test.skipIf(!existsSync("/dev/full"))("a disk that is full after the query does not take the answer", async () => {
  const { json: expected } = await run();
  const { code, out, err } = await marillc(
    ...["run", build, "--in-process", "--input", `tokens=${files.input}`, "--output", "/dev/full"],
  );
  expect(code).toBe(1);
  expect(err).toContain("error MRL0804: the file cannot be written: ENOSPC");
  expect(err).toContain("stdout has the whole answer as JSON");
  expect(
    largestDifference((JSON.parse(out) as RunResult).outputs.logits!.data, expected.outputs.logits!.data),
  ).toBeLessThan(0.1);
  expect(violations(JSON.parse(out), schemas.run!)).toEqual([]);
});

test("cost counts what a run sends", async () => {
  const { json } = await marillcJson<CostReport>("cost", build, "--link", "lan", "--link", "100x40");
  const { json: ran } = await run();
  const { setup, offline, online } = json.totals;
  expect(setup.rounds + offline.rounds + online.rounds).toBe(ran.measured!.rounds);
  expect(setup.bytes["server→client"]! + online.bytes["server→client"]!).toBe(ran.measured!.bytes["server→client"]);
  expect(json.links!.map(({ link }) => link)).toEqual(["lan", "100x40"]);
  expect(json.links![1]!.communicationSeconds.online).toBeGreaterThan((online.rounds * 0.04) / 2);
  const sum = json.operators.reduce((all, { bytes }) => all + (bytes["client→server"] ?? 0), 0);
  expect(sum).toBe(online.bytes["client→server"]);
  const sent = Object.values(json.parties).reduce((all, party) => all + party.sent, 0);
  const received = Object.values(json.parties).reduce((all, party) => all + party.received, 0);
  expect(sent).toBe(received);
  const byLayer = json.layers.reduce((all, { bytes }) => all + (bytes["client→server"] ?? 0), 0);
  expect(byLayer).toBe(sum);
});

test("cost of a model is that of its build, which a diff says", async () => {
  const { json, code } = await marillcJson<{ diff: readonly object[] }>("cost", ...compiling, "--diff", build);
  expect(code).toBe(0);
  expect(json.diff).toEqual([]);
});

test("a budget that is exceeded ends with 1 and says where", async () => {
  const budget = (value: object): string => {
    const file = join(dir, "budget.json");
    writeFileSync(file, JSON.stringify(value));
    return file;
  };
  expect((await marillc("cost", build, "--budget", budget({ rounds: 100, bytes: 1e6 }))).code).toBe(0);
  const over = await marillc(
    "cost",
    build,
    "--budget",
    budget({ rounds: 1, online: { bytes: { "client→server": 1 } } }),
  );
  expect(over.code).toBe(1);
  const { json } = await marillcJson<CostReport>("cost", build);
  const { offline, online } = json.totals;
  expect(over.err).toContain(`one query: ${offline.rounds + online.rounds} rounds, at most 1 allowed`);
  expect(over.err).toContain("bytes client→server, at most 1 allowed");
  expect((await marillcJson<Errors>("cost", build, "--budget", budget({ round: 1 }))).json.error[0]!.code).toBe(
    "MRL0802",
  );
});

test("text is generated until the window is full", async () => {
  interface Text {
    readonly text: string;
    readonly stopped: string;
    readonly queries: number;
  }
  const { code, json } = await marillcJson<Text>("generate", build, "--prompt", "ab", "--in-process");
  expect(code).toBe(0);
  expect(json).toMatchObject({ stopped: "window full", queries: 2 });
  expect(json.text).toMatch(/^[a-g]{1,2}$/);
  const long = await marillcJson<Errors>("generate", build, "--prompt", "abcd", "--in-process");
  expect(long.json.error[0]!.code).toBe("MRL0821");
});

test("doctor finds this machine fit", async () => {
  const { code, json } = await marillcJson<{ findings: readonly { what: string; fine: boolean }[] }>("doctor");
  // How fast a cipher is says how busy the machine is, too.
  const unfit = json.findings.filter(({ fine, what }) => !fine && what !== "ChaCha20");
  expect(unfit).toEqual([]);
  expect(code).toBe(json.findings.every(({ fine }) => fine) ? 0 : 1);
});
