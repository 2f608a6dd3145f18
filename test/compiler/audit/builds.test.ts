import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type ModelOptions, resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { flowReportText, verdictText } from "../../../compiler/audit/audit-text.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { writeBuild } from "../../../compiler/build/write-build.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import { presets } from "../../../passes/3-approximate/index.ts";
import { marillc, marillcJson } from "../../cli/run-cli.ts";
import { writeCnn } from "../../end-to-end/cnn-model.ts";
import { writeTiny } from "../../end-to-end/tiny-model.ts";
import { dateBuild, dateOptions } from "../../harness/shared-builds.ts";
import { floatTensor } from "../onnx/format/build-model.ts";
import { codesOf, edited, programPaths, resealed, withManifest } from "./builds.ts";
import { withInitializer } from "./files.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-flow-"));
afterAll(() => rmSync(dir, { recursive: true }));
const { model, base, calibration } = writeTiny(join(dir, "tiny"));
const { input: _, ...cnn } = writeCnn(join(dir, "cnn"));

const tiny: ModelOptions = { model, base, calibrate: calibration, reveal: { logits: "client" } };
const convolutions: ModelOptions = { ...cnn, private: ["*"], reveal: { scores: "client" } };
const builds: Readonly<Record<string, ModelOptions>> = {
  tiny,
  "tiny, exact": { ...tiny, truncation: "exact" },
  "tiny, three parties": { ...tiny, setting: "3pc" },
  "tiny, three parties, all private": { ...tiny, setting: "3pc", private: ["*"] },
  "tiny, opened to the server": { ...tiny, reveal: { logits: "server" } },
  convolutions,
  "convolutions, public": { ...convolutions, private: [] },
  "convolutions, exact": { ...convolutions, truncation: "exact" },
  date: dateOptions,
};
for (const [preset, { families }] of presets) {
  const setting = families?.includes("replicated") ? "3pc" : "2pc-dealer";
  (builds as Record<string, ModelOptions>)[`tiny, ${preset}`] = { ...tiny, setting, preset };
}

/** Compiled once, on first use: the compiler itself refuses what the checker refuses. */
const made = new Map<string, BuildFiles>();
function build(name: string): BuildFiles {
  const files =
    made.get(name) ?? (name === "date" ? dateBuild() : compileModel(resolveModelOptions(builds[name]!))).files;
  made.set(name, files);
  return files;
}

test("a preset with truncations of its own says that its openings show how shares were rounded", () => {
  expect(checkFlow(build("tiny, crypten")).opened).toMatchObject([{ carries: ["sameRingTruncate"] }]);
});

test("a constant, which the manifest lists as no weight, is public by the builder's word: the check says so", () => {
  const report = checkFlow(build("date"));
  expect(report.weights.unlisted).toContain("constant:model.layers.0.self_attn.Unsqueeze");
  expect(report.weights.unlisted.every((name) => name.startsWith("constant"))).toBe(true);
  expect(flowReportText(report)).toMatch(
    /not checked +that no private weight is in \d+ public tensors? that the manifest does not list: "constant/,
  );
});

describe("builds of the compiler are accepted", () => {
  test.each(Object.keys(builds))("%s", (name) => {
    const report = checkFlow(build(name));
    expect(report.findings).toEqual([]);
    // One output of each program: of the window, and of one more position if there is such a program.
    const to = name.includes("to the server") ? "server" : "client";
    const opened = report.opened.map((each) => [each.value, each.to, each.from]);
    expect(opened.length).toBeGreaterThan(0);
    // What other systems built is measured as it is, and both commands say what its openings show.
    const isOurs = !("preset" in builds[name]!);
    const carries = [...new Set(report.opened.flatMap((each) => each.carries ?? []))];
    if (isOurs) expect(carries).toEqual([]);
    expect(flowReportText(report).includes("rounded by shares")).toBe(carries.length > 0);
    const { caveats } = JSON.parse(new TextDecoder().decode(build(name).get("manifest.json"))) as { caveats: string[] };
    expect(caveats.filter((each) => each.includes("what is opened is rounded by")).length).toBe(carries.length);
    for (const each of opened) expect(each).toEqual([report.opened[0]!.value, to, ["client", "server"]]);
    expect(report.weights.server.length).toBeGreaterThan(0);
    expect(verdictText(report)).toMatch(/^PASSED/);
  });

  test("presets and replicated shares are among them", () => {
    expect(presets.size).toBeGreaterThanOrEqual(8);
    const replicated = checkFlow(build("tiny, puma")).protocols;
    expect(Object.keys(replicated)).toEqual(expect.arrayContaining(["replicatedShare", "replicatedReveal"]));
    expect(Object.keys(checkFlow(build("tiny, three parties, all private")).protocols)).toContain("privateLookup");
  });

  test.each(["client", "server", "dealer"])("%s alone", (role) => {
    const own = new Map([...build("tiny")].filter(([path]) => path.startsWith(`${role}/`)));
    const report = checkFlow(own);
    expect(report.findings).toEqual([]);
    expect(report.parties).toEqual([role]);
    expect(flowReportText(report)).toContain(`the ${role}'s alone`);
  });
});

describe("changed builds are refused", () => {
  const cases: readonly (readonly [string, string, (files: BuildFiles) => BuildFiles, string])[] = [
    [
      "replicated values opened to the server",
      "tiny, puma",
      (files) => edited(files, programPaths, (text) => text.replaceAll('to: "client"', 'to: "server"')),
      "MRL0910",
    ],
    [
      "a private table told to all",
      "tiny, three parties, all private",
      (files) => edited(files, programPaths, (text) => text.replace('form: "known"', 'form: "public"')),
      "MRL0904",
    ],
    [
      "places of the client's where something public belongs",
      "tiny, three parties, all private",
      (files) => edited(files, programPaths, (text) => text.replaceAll("privateLookup", "thresholdCompare")),
      "MRL0904",
    ],
    [
      "shares of two parties in a program of three",
      "tiny, puma",
      (files) => edited(files, programPaths, (text) => text.replaceAll("replicatedShare", "seededShare")),
      "MRL0904",
    ],
    [
      "a tensor more in the client's model",
      "tiny",
      (files) => resealed(withInitializer(files, floatTensor("more", [2], [1, 2]))),
      "MRL0912",
    ],
    [
      "a weight of the client's model that the manifest calls private",
      "tiny",
      (files) =>
        withManifest(files, (manifest) => ({
          ...manifest,
          weights: (manifest.weights as { name: string; sha256?: string }[]).map(({ sha256: __, ...weight }) => ({
            ...weight,
            label: "server",
          })),
        })),
      "MRL0912",
    ],
    [
      "constants that the manifest does not list",
      "date",
      (files) => withManifest(files, (manifest) => ({ ...manifest, constants: [] })),
      "MRL0912",
    ],
    [
      "a head whose bytes are not those of the manifest, at one party",
      "tiny",
      (files) =>
        edited(files, ["server/program.ts", "server/program.js"], (text) =>
          text.replace(/(receives )724 B(, the dealer)/, "$1725 B$2"),
        ),
      "MRL0910",
    ],
    [
      "rounds that are not those of the manifest",
      "tiny",
      (files) =>
        edited(files, programPaths, (text) => text.replace(": 2pc-dealer, 7 rounds", ": 2pc-dealer, 8 rounds")),
      "MRL0910",
    ],
    [
      "a step whose bytes do not add up to those of the head",
      "tiny",
      (files) => edited(files, programPaths, (text) => text.replace(/(1 round, (?:sends|receives)) 140 B/, "$1 141 B")),
      "MRL0901",
    ],
    [
      "bytes that are said in parts",
      "tiny",
      (files) => edited(files, programPaths, (text) => text.replace("sends 140 B", "sends 100 B, sends 40 B")),
      "MRL0901",
    ],
    [
      "bytes with zeros before them",
      "tiny",
      (files) => edited(files, programPaths, (text) => text.replace("sends 140 B", "sends 0,140 B")),
      "MRL0901",
    ],
    [
      "other traffic in the manifest",
      "tiny",
      (files) =>
        withManifest(files, ({ predicted, ...manifest }) => {
          const { online, ...phases } = predicted as { online: { bytes: Record<string, number> } };
          const bytes = { ...online.bytes, "client→server": online.bytes["client→server"]! + 1 };
          return { ...manifest, predicted: { ...phases, online: { ...online, bytes } } };
        }),
      "MRL0910",
    ],
  ];
  test.each(cases)("%s", (_what, name, change, code) => {
    expect(codesOf(change(build(name)))).toContain(code);
  });
});

describe("marillc check", () => {
  const write = (name: string, files: BuildFiles): string => {
    const to = join(dir, name);
    writeBuild(to, files);
    return to;
  };

  test("reports who learns what, and PASSED", async () => {
    const to = write("sound", build("tiny"));
    const { code, out, err } = await marillc("check", to);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(
      /opened +"logits" \[1, 4, 8\] to the client: computed from the client's input and the server's weights/,
    );
    expect(out).toMatch(/PASSED: nothing is opened but the declared outputs, to their readers\n$/);
    const { json } = await marillcJson<{ passed: boolean; opened: readonly object[] }>("check", to);
    expect(json).toMatchObject({ passed: true, blockers: [] });
    for (const each of json.opened) expect(each).toMatchObject({ tensor: "logits", to: "client" });
  });

  test("checks a copied folder of one party in the same way", async () => {
    const to = join(write("whole", build("tiny")), "client");
    const { code, json } = await marillcJson<{ parties: readonly string[] }>("check", to);
    expect([code, json.parties]).toEqual([0, ["client"]]);
  });

  test("reports FAILED with every finding", async () => {
    const to = write("changed", build("tiny"));
    writeFileSync(join(to, "client/notes.txt"), "mine");
    mkdirSync(join(to, "dealer/more"));
    writeFileSync(join(to, "dealer/more/deep.bin"), "mine");
    const { code, out } = await marillc("check", to);
    expect(code).toBe(1);
    expect(out).toContain("error MRL0912: the file is not part of a build\n  at      client/notes.txt");
    expect(out).toContain("dealer/more/deep.bin");
    expect(out).toMatch(/FAILED: 2 findings\n$/);
    const { json } = await marillcJson<{ passed: boolean; blockers: readonly object[] }>("check", to);
    expect(json.passed).toBe(false);
    expect(json.blockers).toHaveLength(2);
  });

  test("reports one finding for a folder that is not a build, and refuses options of models", async () => {
    mkdirSync(join(dir, "empty"));
    const { code, out } = await marillc("check", join(dir, "empty"));
    expect(code).toBe(1);
    expect(out).toMatch(/MRL0913/);
    expect((await marillc("check", join(dir, "empty"), "--dim", "seq=8")).code).toBe(2);
  });
});
