import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { commands } from "../../compiler/cli/commands.ts";
import { failureOf } from "../../compiler/cli/failure.ts";
import { schemas } from "../../compiler/report/text/schemas.ts";
import { InternalError } from "../../compiler/run/internal-error.ts";
import { sessionError } from "../../runtime/core/errors.ts";
import { violations } from "./json-schema.ts";
import { marillc, marillcJson } from "./run-cli.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-usage-"));
afterAll(() => rmSync(dir, { recursive: true }));

interface Errors {
  readonly schema: number;
  readonly error: readonly { readonly code: string; readonly message: string; readonly help?: string }[];
}

test.each([
  [["frobnicate"]],
  [["check"]],
  [["check", "a.onnx", "b.onnx"]],
  [["check", "a.onnx", "--colour"]],
  [["check", "a.onnx", "--dim", "seq"]],
  [["check", "a.onnx", "--dim", "seq=-1"]],
  [["check", "a.onnx", "--fix", "mask=ones"]],
  [["compile", "a.onnx"]],
  [["compile", "a.onnx", "-o", "b", "--input", "x"]],
  [["compile", "a.onnx", "-o", "b", "--reveal", "x:nobody"]],
  [["inspect", "a.onnx", "--stage", "later"]],
  [["compile", "a.onnx", "-o", "b", "--link", "fast"]],
  [["inspect", "a.onnx", "--link", "100"]],
  [["inspect", "a.onnx", "--merged-lora", "0"]],
  [["inspect", "a.onnx", "--merged-lora", "8@2"]],
  [["compile", "a.onnx", "-o", "b", "--precision", "weight=25"]],
  [["inspect", "a.onnx", "--precision", "weights=14"]],
  [["cost", "a.onnx", "--link", "lan", "--link", "0x40"]],
  [["cost", "--architecture", "bert-tiny", "--dim", "seq=4", "--private", "half"]],
  [["run", "b", "--link", "fast"]],
  [["run", "b", "--repeat", "0"]],
  [["run", "b", "--plain", "--link", "lan"]],
  [["run", "b", "--plain", "--repeat", "2"]],
  [["check", dir, "--calibrate", "c"]],
  [["cost", dir, "--base", "a.onnx"]],
  [["inspect", dir, "--private", "*"]],
  [["inspect", dir, "--link", "lan"]],
  [["deal", "--listen", "here", "--identity", "b"]],
  [["deal", "--listen", "127.0.0.1:70000", "--identity", "b"]],
  [["deal", "--listen", "127.0.0.1:0", "--identity", "b", "--max-bytes", "0"]],
  [["debug", "b"]],
  [["completion", "csh"]],
  [["demo", "--max-tokens", "0"]],
  [["rewrite", "a.onnx", "--freeze", "half", "-o", "b.onnx"]],
  [["rewrite", "a.onnx", "--merge-heads", "3", "-o", "b.onnx"]],
  [["rewrite", "a.onnx", "--merge-heads", "2", "--prune-heads", "2", "-o", "b.onnx"]],
  [["rewrite", "a.onnx", "--merge-heads", "2", "--grouping", "any", "-o", "b.onnx"]],
  [["rewrite", "a.onnx", "--merge-heads", "2", "--merge-scale", "0", "-o", "b.onnx"]],
  [["rewrite", "a.onnx", "--grouping", "similarity", "-o", "b.onnx"]],
  [["rewrite", "a.onnx", "--lora-alpha", "2", "-o", "b.onnx"]],
  [["check", ""]],
  [["check", "a.onnx", "--adapter", ""]],
  [["check", "a.onnx", "--private", ""]],
  [["check", "a.onnx", "--adapter", "b", "--adapter", "c"]],
  [["check", "a.onnx", "--numerics", "crypten", "--numerics", "marill"]],
  [["check", "a.onnx", "--input", "x:client", "--input", "x:server"]],
  [["check", "a.onnx", "--dim", "seq=4", "--dim", "seq=5"]],
  [["cost", dir, "--adapter", "b"]],
  [["cost", dir, "--preset", "crypten"]],
  [["cost", dir, "--phase", "decode"]],
  [["inspect", dir, "--adapter", "b"]],
  [["generate", "b", "--prompt", "a", "--dealer", "127.0.0.1:1"]],
  [["generate", "b", "--prompt", "a", "--identity", "keys"]],
])("wrong usage ends with 2 and one line: %j", async (argv) => {
  const { code, out, err } = await marillc(...argv);
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err).toMatch(/^error: .+\n$/);
});

test.each([[[]], [["keys"]]])("%j without a command shows which there are, and ends with 2", async (argv) => {
  const { code, out, err } = await marillc(...argv);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("Commands:");
  expect(err).toMatch(/\nerror: expected a command, found none: see marillc --help\n$/);
});

test("a port that is taken and an expired certificate are this party's own fault, not another's", () => {
  const own = [
    sessionError("cannotListen", { where: "h:1", reason: "EADDRINUSE" }),
    sessionError("ownCertificateInvalid", { found: "f", from: "a", to: "b", now: "c" }),
  ];
  expect(own.map((error) => failureOf(error).exitCode)).toEqual([1, 1]);
});

test("an unknown command names the nearest one and the help", async () => {
  expect((await marillc("compil")).err).toBe(
    "error: unknown command 'compil' (Did you mean compile?): see marillc --help\n",
  );
  expect((await marillc("help")).err).toBe("error: unknown command 'help': see marillc --help\n");
});

test("wrong usage with --json is one document", async () => {
  const { code, json } = await marillcJson<Errors>("check", "a.onnx", "--colour");
  expect(code).toBe(2);
  expect(json.schema).toBe(1);
  expect(json.error[0]!.message).toContain("--colour");
});

test("help and version with --json are one document", async () => {
  const { out: help } = await marillc("keys", "init", "--help");
  for (const argv of [
    ["keys", "init", "--help", "--json"],
    ["keys", "init", "--json", "--help"],
  ]) {
    const { code, out } = await marillc(...argv);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ schema: 1, help });
    expect(violations(JSON.parse(out), schemas.help!)).toEqual([]);
  }
  const { out: version } = await marillc("--version");
  const { out } = await marillc("--json", "--version");
  expect(JSON.parse(out)).toEqual({ schema: 1, version: version.trim() });
  expect(violations(JSON.parse(out), schemas.version!)).toEqual([]);
});

test("all that is missing is said at once", async () => {
  const query = await marillc("query", "--dealer", "127.0.0.1:1");
  expect(query.code).toBe(2);
  expect(query.err).toBe(
    "error: expected <build-dir/client>, --server <host:port>, --identity <dir>, found none of them\n",
  );
  expect((await marillc("query", "b", "--server", "h:1", "--identity", "k")).err).toBe(
    "error: expected --dealer <host:port>, found none\n",
  );
  expect((await marillc("check")).err).toBe("error: expected <model.onnx>, found none\n");
});

test("a document that breaks its schema is caught", () => {
  const broken = { schema: 2, error: [{ code: 7 }] };
  expect(violations(broken, schemas.error!)).toEqual([
    "$.schema is 2, not 1",
    "$.error[0] lacks message",
    "$.error[0].code is number, not string",
  ]);
});

test("a missing file is the user's, and is named", async () => {
  const { code, err, out } = await marillc("check", join(dir, "none.onnx"));
  expect(code).toBe(1);
  expect(out).toBe("");
  expect(err).toContain("none.onnx");
  expect(err).not.toMatch(/^\s+at .*\(/m);
});

test("a file that is no model", async () => {
  const file = join(dir, "text.onnx");
  writeFileSync(file, "this is no model");
  const { code, json } = await marillcJson<Errors>("check", file);
  expect(code).toBe(1);
  expect(json.error[0]!.code).toMatch(/^MRL01/);
});

test("a folder that is no build", async () => {
  const { code, json } = await marillcJson<Errors>("run", dir, "--input", "x=y.npy");
  expect(code).toBe(1);
  expect(json.error[0]!.code).toMatch(/^MRL06/);
});

test("values that are not built yet are refused by name, all at once, with those that are", async () => {
  const refused = [
    ["--setting", "2pc", "2pc-dealer, 3pc"],
    ["--truncation", "stochastic", "fast, exact"],
    ["--preset", "delphi", "marill, crypten"],
    ["--objective", "rounds", "time, online, total"],
    ["--head", "sample", "logits, token"],
  ] as const;
  const given = refused.flatMap(([option, value]) => [option, value] as string[]);
  const { code, err } = await marillc("compile", "a.onnx", "-o", join(dir, "b"), ...given);
  expect(code).toBe(2);
  for (const [option, value, known] of refused) {
    expect(err).toContain(
      `error MRL0650: ${option} ${value} is not supported by this version\n  help    supported: ${known}`,
    );
  }
});

test.each([
  ["--baseline"],
  ["--html", "a.html"],
  ["--trace", "a.json"],
])("cost refuses %s by name", async (...option) => {
  const { code, err } = await marillc("cost", ...option);
  expect(code).toBe(1);
  expect(err).toContain(`${option.join(" ")} is not supported by this version`);
});

test("help lists no command and no option that only refuses", async () => {
  const { out } = await marillc("--help");
  expect(out).not.toContain("debug");
  const { out: cost } = await marillc("cost", "--help");
  for (const option of ["--baseline", "--html", "--trace"]) expect(cost).not.toContain(`${option} `);
  expect(cost).toContain("--setting <setting>");
  expect(cost).not.toMatch(/ or 2pc\b(?!-)/);
});

test("commands that are planned say what to do instead", async () => {
  for (const name of ["debug"]) expect((await marillc(name, "x")).err).toContain("is not implemented yet;");
});

test("the schemas are an export of the package", async () => {
  const { default: found } = await import("../../package.json", { with: { type: "json" } });
  const { types, default: file } = found.exports["./schemas"];
  const source = file.replace(/^\.\/dist\//, "../../").replace(/js$/, "ts");
  expect(types).toBe(file.replace(/js$/, "d.ts"));
  expect((await import(source)).schemas).toBe(schemas);
});

test("the version is the package's", async () => {
  const { default: found } = await import("../../package.json", { with: { type: "json" } });
  expect((await marillc("--version")).out).toBe(`${found.version}\n`);
});

test.each(commands.map((spec) => [spec.name, spec] as const))("%s --help shows its examples", async (name, spec) => {
  const { code, out, err } = await marillc(...name.split(" "), "--help");
  expect(code).toBe(0);
  expect(err).toBe("");
  expect(out.replace(/\s+/g, " ")).toContain(spec.summary);
  const joined = out.replace(/ \\\n */g, " ");
  for (const example of spec.examples) expect(joined).toContain(`$ ${example}\n`);
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test.each([[], ["keys"]])("the help of %j lists its commands in 80 columns", async (...words) => {
  const { out } = await marillc(...words, "--help");
  expect(out).toContain("Commands:");
  expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("a failure of another party ends with 3, code, place and help", () => {
  const error = sessionError(
    "unreachable",
    { peer: "the dealer", reason: "ECONNREFUSED", where: "h:1" },
    { at: "h:1" },
  );
  const { exitCode, text } = failureOf(error);
  expect(exitCode).toBe(3);
  expect(text).toMatch(/MRL0723.*\n {2}at {6}h:1\n {2}help/);
});

test("a fault of ours ends with 70 and says so in one line", () => {
  const faults = [
    ["MRL0700", new TypeError("x is\nnot y")],
    ["MRL0799", new InternalError("MRL0799", "traffic is not as predicted")],
  ] as const;
  for (const [code, error] of faults) {
    const { exitCode, text } = failureOf(error);
    expect(exitCode).toBe(70);
    expect(text).toMatch(new RegExp(`^error ${code}: .* internal error, please report$`));
  }
});

test.each([
  ["no such folder", "nowhere", "no such folder"],
  ["a model", "model.onnx", "a file"],
  ["another folder", ".", "a folder without manifest.json"],
])("a build that is %s: the place is the path given, the advice names what to give", async (_what, name, found) => {
  writeFileSync(join(dir, "model.onnx"), "");
  const { code, err } = await marillc("run", join(dir, name));
  expect(code).toBe(1);
  expect(err).toContain(`error MRL0611: expected a build directory, found ${found}\n  at      ${join(dir, name)}\n`);
  expect(err).toContain("`marillc compile -o`");
});

test("--json is an option, not any word of the command line", async () => {
  const value = await marillc("check", "none.onnx", "--adapter", "--json");
  expect(value.out).toBe("");
  expect(value.err).toContain("MRL0101");
  const argument = await marillc("check", "--", "--json");
  expect(argument.out).toBe("");
  expect(argument.err).toContain("--json");
});

test("a full disk is not a defect of marillc, although its error names no file", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  expect(failureOf(full)).toMatchObject({ exitCode: 1, errors: [{ code: "MRL0804" }] });
});

test("an option that takes a value or none says which word it took", async () => {
  for (const words of [
    ["compile", "--guard", "a.onnx", "-o", "b"],
    ["check", "--guard", "fc", "--guard", "a.onnx"],
  ]) {
    const { code, err } = await marillc(...words);
    expect(code).toBe(2);
    expect(err).toContain('--guard took "a.onnx" as its value: write that word before --guard, or --guard=all');
  }
  expect((await marillc("check", "--guard")).err).not.toContain("took");
});
