import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import { edited, modulePaths, programPaths, resealed, withManifest } from "./builds.ts";

const given = join(import.meta.dirname, "../../../fixtures/cases/reveal-two-readers");
const model = join(given, "model.onnx");
const compiled = (reveal: "client" | "both"): BuildFiles =>
  compileModel(
    resolveModelOptions({
      model,
      base: model,
      private: ["*"],
      reveal: { y: reveal },
      calibrate: join(given, "calib"),
    }),
  ).files;

const codesOf = (files: BuildFiles): readonly string[] => checkFlow(files).findings.map(({ code }) => code);

describe("who learns an output of both", () => {
  let both: BuildFiles;
  let one: BuildFiles;
  beforeAll(() => {
    both = compiled("both");
    one = compiled("client");
  });

  test("the checker accepts exactly the two declared readers", () => {
    const { opened, findings } = checkFlow(both);
    expect(findings).toEqual([]);
    expect(opened.map(({ tensor, to }) => [tensor, to])).toEqual([
      ["y", "client"],
      ["y", "server"],
    ]);
  });

  test("a manifest that does not name the server is refused", () => {
    const silent = withManifest(both, (manifest) => ({
      ...manifest,
      reveals: (manifest.reveals as { to: string }[]).filter(({ to }) => to === "client"),
    }));
    expect(codesOf(silent)).toContain("MRL0910");
  });

  test("programs that open to the server what the manifest gives to the client alone are refused", () => {
    const promise = new Map([...both].filter(([path]) => path.endsWith("manifest.json")));
    const honest = new Map([...one].filter(([path]) => path.endsWith("manifest.json")));
    expect(promise.size).toBe(honest.size);
    expect(codesOf(resealed(new Map([...both, ...honest])))).toContain("MRL0910");
  });

  test("two openings to one party are refused", () => {
    const swapped = edited(both, programPaths, (text) => text.replaceAll('to: "client"', 'to: "server"'));
    const inModule = edited(swapped, modulePaths, (text) =>
      text.replace('to = "client"', 'to = "server"').replace(/(%y = reveal .*): client/, "$1: server"),
    );
    expect(codesOf(resealed(inModule))).toContain("MRL0910");
  });

  test("a reader that one party's program leaves out is refused", () => {
    const silent = edited(both, ["client/program.ts", "client/program.js"], (text) =>
      text.replaceAll('to: "server"', 'to: "client"'),
    );
    expect(codesOf(silent)).toContain("MRL0902");
  });
});
