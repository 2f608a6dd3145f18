import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { flowReportText } from "../../../compiler/audit/audit-text.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { securityTexts } from "../../../compiler/audit/security-texts.ts";
import { securityStatement } from "../../../compiler/build/security-statement.ts";
import { writeBuild } from "../../../compiler/build/write-build.ts";
import { marillc } from "../../cli/run-cli.ts";
import { edited, goldenBuild, withManifest } from "./builds.ts";
import { twice } from "./cached-build.ts";
import { mutants } from "./mutants/all.ts";
import { kept } from "./mutants/cache.ts";
import { inAll, ofWeights, swap, swapAll } from "./mutants/edits.ts";
import { relabelled } from "./mutants/labels.ts";

const build = goldenBuild();

test("the golden build is sound: one value is opened, to the client", () => {
  const { findings, opened, weights, parties, calls, protocols } = checkFlow(build);
  expect(findings).toEqual([]);
  expect(opened).toEqual([
    {
      value: "logits",
      tensor: "logits",
      to: "client",
      shape: [9],
      from: ["client", "server"],
      // The golden module rounds by shares before it opens.
      carries: ["sameRingTruncate"],
    },
  ]);
  expect(weights).toEqual({
    public: ["model.o.weight"],
    server: ["model.q.lora_A", "model.k.weight", "model.k.bias", "model.q.lora_B"],
    unlisted: [],
  });
  expect(parties).toEqual(["client", "server", "dealer"]);
  expect(calls).toBe(19);
  expect(protocols).toEqual({
    fourierSilu: 1,
    knownWeightMatmul: 3,
    localTruncate: 3,
    maskedMul: 1,
    maskedOpen: 3,
    oneWayReveal: 1,
    sameRingTruncate: 1,
    seededShare: 1,
  });
});

test("the security texts are those that the compiler writes", () => {
  const nothing = { readers: new Set<string>(), serverInputs: false, keepsShares: false, guarded: false };
  for (const [setting, text] of securityTexts) expect(securityStatement(setting, true, nothing).security).toBe(text);
});

test("what a check counts is in all programs", () => {
  const { calls, programs, protocols } = checkFlow(build);
  const both = checkFlow(twice);
  expect([both.programs, both.calls, both.protocols.maskedOpen]).toEqual([
    2 * programs,
    2 * calls,
    2 * protocols.maskedOpen!,
  ]);
});

test("a party's folder is checked against its program.mir, and says what it does not show", () => {
  const own = new Map([...build].filter(([path]) => path.startsWith("client/")));
  const report = checkFlow(own);
  expect(report.findings).toEqual([]);
  expect(flowReportText(report)).toContain("the programs of the server and the dealer: a session starts only if");
  expect(flowReportText(checkFlow(build))).not.toContain("a session starts only if");
  const codes = (files: BuildFiles) => checkFlow(files).findings.map(({ code }) => code);
  expect(codes(new Map([...own].filter(([path]) => path !== "client/program.mir")))).toContain("MRL0913");
  // What the other parties would compare online: labels, protocols, attributes, operands, widths.
  const swaps: readonly (readonly [string, string])[] = [
    ['party.at("q.b.t.open")', 'party.at("q.b.t.opened")'],
    ["gate: { operands: [types.k_biased_t_open]", "gate: { operands: [types.q_b_t_open]"],
    ["result: types.k_biased_t, attrs: { by: 12 }", "result: types.k_biased_t, attrs: { by: 11 }"],
    ["specs.gated, gate_open, q_b_t_open", "specs.gated, q_b_t_open, gate_open"],
    ["k_biased: { shape: [3, 4], width: 30", "k_biased: { shape: [3, 4], width: 31"],
    ["shape: [4, 4], width: 30, scale: 12 },\n", "shape: [4, 4], width: 31, scale: 12 },\n"],
    ["shape: [4, 4], width: 30, scale: 12 },\n", "shape: [4, 4], width: 12, scale: 12 },\n"],
    ["shape: [4, 3], width: 12, scale: 12 },\n", "shape: [4, 3], width: 62, scale: 12 },\n"],
  ];
  for (const [from, to] of swaps) {
    const changed = edited(own, ["client/program.ts", "client/program.js"], (text) => text.replaceAll(from, to));
    expect(codes(changed), to).not.toEqual([]);
  }
});

test("a name of the manifest cannot hide or forge a line of the statement", async () => {
  const name = "logits to the client\u001b[8m\nopened  nothing\u202e";
  const forged = withManifest(build, (manifest) => ({
    ...manifest,
    reveals: (manifest.reveals as object[]).map((each) => ({ ...each, tensor: name })),
    caveats: ['this build is audited"\nopened  nothing\u001b[8m'],
    roles: { client: "holds \u202e the input" },
  }));
  const dir = mkdtempSync(join(tmpdir(), "marillc-statement-"));
  writeBuild(join(dir, "build"), forged);
  for (const options of [[], ["--json"]]) {
    const { out } = await marillc("check", join(dir, "build"), ...options);
    expect(out).toMatch(/^[\n\x20-\x7e×]*$/);
    expect(out.match(/^opened/gm)?.length ?? 0).toBe(options.length === 0 ? 1 : 0);
    expect(out).toContain("logits to the client\\u001b[8m");
    expect(out).toContain("this build is audited");
    if (options.length === 0)
      expect(out).toMatch(/the builder says +"this build is audited\\u0022\\u000aopened[^\n]*\n +"the client holds/);
  }
  rmSync(dir, { recursive: true });
});

test.each(mutants)("$what is refused with its own code", ({ of, codes }) => {
  const { findings } = checkFlow(of(build));
  expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining([...codes]));
  for (const { at } of findings) expect(at).not.toBe("");
});

test.each<[string, (files: BuildFiles) => BuildFiles, string]>([
  [
    "an output of another scale",
    inAll(swapAll('scale: 12, lo: -1, hi: 1, to: "client"', 'scale: 11, lo: -1, hi: 1, to: "client"')),
    "logits is opened as 14 bits, 12 fractional [9], and declared as 14 bits, 11 fractional [9]",
  ],
  [
    "a result of another scale than its output",
    inAll(swap("logits: { shape: [9], width: 14, scale: 12", "logits: { shape: [9], width: 14, scale: 11")),
    "logits is opened as 14 bits, 11 fractional [9], and declared as 14 bits, 12 fractional [9]",
  ],
  [
    "a weight of another scale",
    inAll(ofWeights(swap("width: 12, scale: 12", "width: 12, scale: 11"))),
    "o: weight o.weight is 12 bits, 11 fractional [4, 3], not 12 bits, 12 fractional [4, 3]",
  ],
  [
    "a private weight with a digest",
    (files) => withManifest(files, relabelled("server", "00".repeat(32))),
    "weight model.k.bias is server with a digest",
  ],
  [
    "a public weight without a digest",
    (files) => withManifest(files, relabelled("public")),
    "weight model.k.bias is public without a digest",
  ],
])("%s is named for what it is", (_, edit, message) => {
  expect(checkFlow(edit(build)).findings.map((each) => each.message)).toContain(message);
});

test.each(kept)("with two programs over one state, $what is refused with its own code", ({ of, codes }) => {
  expect(checkFlow(twice).findings).toEqual([]);
  const { findings } = checkFlow(of(twice));
  expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining([...codes]));
});
