import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { resolveModelOptions } from "../../../compiler/api/model-options.ts";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { compileModel } from "../../../compiler/compile/compile.ts";
import { edited, modulePaths, programPaths, resealed, textOf, withManifest } from "./builds.ts";

const given = join(import.meta.dirname, "../../../fixtures/cases/server-input");
const model = join(given, "model.onnx");

let build: BuildFiles;
/** The input that the server shares: its product, computed in the clear. */
let own: string;
beforeAll(() => {
  const options = {
    model,
    base: model,
    private: ["*"],
    reveal: { y: "client" },
    calibrate: join(given, "calib"),
  } as const;
  build = compileModel(resolveModelOptions({ ...options, inputs: { xb: "server" } })).files;
  own = (JSON.parse(textOf(build, "manifest.json")) as { serverCuts: { value: string }[] }).serverCuts[0]!.value;
});

type Cut = { readonly value: string; readonly tensor: string };
interface Claims {
  readonly cuts: readonly Cut[];
  readonly serverCuts: readonly Cut[];
}
const claimed = (files: BuildFiles, change: (claims: Claims) => object): BuildFiles =>
  withManifest(files, (manifest) => ({ ...manifest, ...change(manifest as unknown as Claims) }));
const findingsOf = (files: BuildFiles): readonly string[] =>
  checkFlow(resealed(files)).findings.map(({ code, message }) => `${code} ${message}`);

/** The client's input declared as the server's, in programs and module. */
const taken = (files: BuildFiles): BuildFiles => {
  const inPrograms = edited(files, programPaths, (text) =>
    text
      .replace(/(const inputTypes = \{[^;]*? {2}xa: \{[^}]*) \},/, '$1, of: "server" },')
      .replace(/seededShare\.run\((party\.at\("[^"]*"\), specs\.\w+, inputs\.xa)/, "seededServerShare.run($1"),
  );
  return edited(inPrograms, modulePaths, (text) =>
    text
      .replace("input %xa : client", "input %xa : server")
      .replace(/(share %xa .*)seeded\.share/, "$1seeded.server-share"),
  );
};

test("the honest build passes, and says who shares what", () => {
  const { findings, shared, sharedByServer, opened } = checkFlow(build);
  expect(findings).toEqual([]);
  expect(shared.map(({ value }) => value)).toEqual(["xa"]);
  expect(sharedByServer.map(({ value }) => value)).toEqual([own]);
  expect(opened).toMatchObject([{ value: "y", to: "client", from: ["client", "server"] }]);
});

test("a manifest that says nothing of the server's input is refused", () => {
  expect(findingsOf(claimed(build, () => ({ serverCuts: undefined })))).toContainEqual(
    expect.stringMatching(/^MRL0910 input \S+ is not a cut of the manifest/),
  );
});

test("a manifest that gives the server's input to the client is refused", () => {
  const moved = claimed(build, ({ cuts, serverCuts }) => ({ cuts: [...cuts, ...serverCuts], serverCuts: [] }));
  expect(findingsOf(moved)).toContainEqual(expect.stringMatching(/^MRL0910 input \S+ is not a cut/));
});

test("a cut of both parties is refused", () => {
  const both = claimed(build, ({ cuts, serverCuts }) => ({ cuts: [...cuts, ...serverCuts], serverCuts }));
  expect(findingsOf(both)).toContain("MRL0910 the manifest names a cut twice");
});

test("the client's input as the server's, in programs alone, is refused", () => {
  const programs = new Map([...taken(build)].filter(([path]) => programPaths.includes(path)));
  expect(findingsOf(new Map([...build, ...programs])).join("\n")).toMatch(
    /MRL0909 .*other operands than in program\.mir/,
  );
});

test("the client's input as the server's, everywhere but in who holds it, is refused", () => {
  const everywhere = claimed(taken(build), ({ cuts, serverCuts }) => ({
    cuts: [],
    serverCuts: [...serverCuts, ...cuts],
  }));
  expect(findingsOf(everywhere)).toContain("MRL0910 the server would share xa, which it does not own");
});

test("the server's integers go into no protocol that takes the client's, nor the other way round", () => {
  const swapped = edited(build, programPaths, (text) =>
    text
      .replaceAll("seededServerShare.run(", "other.run(")
      .replaceAll("seededShare.run(", "seededServerShare.run(")
      .replaceAll("other.run(", "seededShare.run("),
  );
  const found = findingsOf(swapped).join("\n");
  expect(found).toMatch(/MRL0904 .*seededShare takes a client operand, not a server one/);
  expect(found).toMatch(/MRL0904 .*seededServerShare takes a server operand, not a client one/);
});

test("one party's program that takes the input from the other is refused", () => {
  const alone = edited(build, ["client/program.ts", "client/program.js"], (text) =>
    text.replaceAll(', of: "server"', ""),
  );
  expect(checkFlow(alone).findings.map(({ code }) => code)).toEqual(expect.arrayContaining(["MRL0902"]));
});

test("nobody else may hold an input", () => {
  const dealers = edited(build, programPaths, (text) => text.replaceAll('of: "server"', 'of: "dealer"'));
  expect(findingsOf(dealers).join("\n")).toContain("MRL0901");
});
