import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { flowReportText } from "../../../compiler/audit/audit-text.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import { writeChain } from "../../end-to-end/chained-models.ts";
import { edited, modulePaths, programPaths, resealed, withManifest } from "./builds.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-audit-shares-"));
afterAll(() => rmSync(dir, { recursive: true }));

let [front, back]: BuildFiles[] = [];
beforeAll(() => {
  const files = writeChain(join(dir, "models"));
  const ofFront = { model: files.front, reveal: { h: "shared" }, calibrate: files.ofFront } as const;
  const ofBack = { model: files.back, reveal: { y: "client" }, calibrate: files.ofBack } as const;
  front = compileModel(resolveModelOptions({ ...ofFront, private: ["*"] })).files;
  back = compileModel(resolveModelOptions({ ...ofBack, private: ["*"], inputs: { h: "shared" } })).files;
});

type Shared = Readonly<Record<string, unknown>>;
interface Claims {
  readonly sharedInputs: readonly Shared[];
  readonly sharedOutputs: readonly Shared[];
  readonly inputs: readonly Shared[];
  readonly cuts: readonly Shared[];
}
const claimed = (files: BuildFiles, change: (claims: Claims) => object): BuildFiles =>
  withManifest(files, (manifest) => ({ ...manifest, ...change(manifest as unknown as Claims) }));
const findingsOf = (files: BuildFiles): string =>
  checkFlow(resealed(files))
    .findings.map(({ code, message }) => `${code} ${message}`)
    .join("\n");

test("honest builds pass, and say what stays shared and what arrives so", () => {
  const [first, second] = [checkFlow(front!), checkFlow(back!)];
  expect([...first.findings, ...second.findings]).toEqual([]);
  expect(first.opened).toEqual([]);
  expect(first.kept).toEqual([{ value: "h", tensor: "h", shape: [2, 8], from: ["client", "server"] }]);
  expect(second.taken).toEqual([{ value: "h", tensor: "h", shape: [2, 8] }]);
  expect(flowReportText(first)).toMatch(
    /stays shared +"h" \[2, 8\]: client and server each hold a residue; nobody reads it/,
  );
  expect(flowReportText(second)).toMatch(/arrives shared +"h" \[2, 8\]: client and server each hold a residue/);
});

test.each<[string, (claims: Claims) => object, RegExp]>([
  ["nothing of it", () => ({ sharedOutputs: undefined }), /MRL0910 keeps h .*the manifest does not say so/],
  ["closer bounds", ({ sharedOutputs: [h] }) => ({ sharedOutputs: [{ ...h, range: [0, 1] }] }), /MRL0910 keeps h/],
  ["another ring", ({ sharedOutputs: [h] }) => ({ sharedOutputs: [{ ...h, width: 40 }] }), /MRL0910 keeps h/],
  ["more", ({ sharedOutputs: [h] }) => ({ sharedOutputs: [h, h] }), /MRL0910 keeps 1 values, not 2/],
])("a manifest that says %s of what stays shared is refused", (_, change, finding) => {
  expect(findingsOf(claimed(front!, change))).toMatch(finding);
});

test.each<[string, (claims: Claims) => object, RegExp]>([
  ["nothing of it", () => ({ sharedInputs: undefined }), /MRL0910 input h is not a cut/],
  ["wider bounds", ({ sharedInputs: [h] }) => ({ sharedInputs: [{ ...h, range: [-99, 99] }] }), /takes over h/],
  [
    "that the client shares it",
    ({ sharedInputs: [h], cuts }) => {
      const { value, tensor, shape, range } = h as Record<string, unknown>;
      return { sharedInputs: [], cuts: [...cuts, { value, tensor, shape, range }] };
    },
    /MRL0910 input h is not a cut of the manifest, or has another shape or owner/,
  ],
  [
    "that the client owns it",
    ({ inputs }) => ({ inputs: inputs.map((each) => ({ ...each, label: "client" })) }),
    /the parties would share h, which it does not own/,
  ],
])("a manifest that says %s of what arrives as shares is refused", (_, change, finding) => {
  expect(findingsOf(claimed(back!, change))).toMatch(finding);
});

const inPrograms = (files: BuildFiles, change: (text: string) => string): BuildFiles =>
  edited(files, programPaths, change);

test("an output that leaves in shares cannot be declared as one that somebody reads, nor the reverse", () => {
  const read = inPrograms(front!, (text) => text.replace('to: "shared"', 'to: "client"'));
  expect(findingsOf(read)).toMatch(/MRL0905 h leaves the program in shares, but is declared for the client/);
  expect(findingsOf(read)).toMatch(/MRL0906 h is a declared output, but is never opened/);
  const kept = inPrograms(back!, (text) => text.replace('to: "client" },\n} as const', 'to: "shared" },\n} as const'));
  expect(findingsOf(kept)).toMatch(/MRL0906 y is declared as kept in shares, but is not/);
});

test("an output that leaves in shares has the scale that is declared, as its operand and as its result", () => {
  const rescaled = (text: string): string => text.replace(/( h: \{ [^}]*scale: )\d+/g, "$199");
  const outputs = (text: string): string => {
    const at = text.indexOf("const outputTypes");
    return text.slice(0, at) + rescaled(text.slice(at));
  };
  const message = /MRL0905 h leaves in other shares than declared, \d+ bits, 99 fractional/;
  expect(findingsOf(inPrograms(front!, outputs))).toMatch(message);
  // The result is of that type, and the operand is not.
  expect(findingsOf(inPrograms(front!, rescaled))).toMatch(message);
});

test("an opening in place of the hand-over is refused", () => {
  const programs = inPrograms(front!, (text) => text.replaceAll("seededHandOver", "oneWayReveal"));
  const opened = edited(programs, modulePaths, (text) => text.replace("seeded.hand-over", "one-way.reveal"));
  expect(findingsOf(opened)).toMatch(/MRL0905 h is opened to the undefined, but declared for the shared/);
});

test("a residue enters through its take-over alone", () => {
  const shared = inPrograms(back!, (text) => text.replace("seededTakeOver.run", "seededShare.run"));
  expect(findingsOf(shared)).toMatch(/MRL0904 \S+ seededShare takes a client operand, not a residue one/);
  const owned = inPrograms(back!, (text) => text.replace(', of: "shared"', ', of: "server"'));
  expect(findingsOf(owned)).toMatch(/MRL0904 \S+ seededTakeOver takes a residue operand, not a server one/);
});
