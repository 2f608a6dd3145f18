import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkBuild } from "../../../compiler/api/check.ts";
import { loadParty } from "../../../compiler/build/load-party.ts";
import { packWeights, unpackWeights, weightDigests } from "../../../compiler/build/pack-weights.ts";
import { chosenAdapter } from "../../../compiler/build/party-build.ts";
import { sha256 } from "../../../compiler/build/sha256.ts";
import { version } from "../../../compiler/build/version.ts";
import { canonicalJson, checkBuildFolder, stageBuild, writeBuild } from "../../../compiler/build/write-build.ts";
import { writeSafetensors } from "../../../compiler/tensors/safetensors.ts";
import { parseSafetensorsHeader } from "../../../compiler/tensors/safetensors-header.ts";
import { DiagnosticError } from "../../../ir/diagnostic.ts";
import { tensor } from "../../../ir/tensor.ts";
import type { Role } from "../../../runtime/core/steps.ts";
import type { WeightDecl } from "../../../runtime/program/program.ts";
import { emitProgram } from "../../../targets/program/emit.ts";
import { integerWeights, runSession } from "../../harness/run-session.ts";
import { facts, input, mir, plan, roles, weightsOf } from "../../targets/programs.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const manifest = {
  schema: 1,
  compiler: version,
  name: plan.name,
  setting: plan.setting,
  chosenFor: { link: { name: "wan", mbitPerSecond: 100, roundTripMs: 80 }, objective: "time" },
  programHash: facts.hash,
  artefactsHash: sha256([facts.hash, sha256(packWeights(plan, weightsOf(), "client"))].join("\n")),
  integers: [...weightDigests(packWeights(plan, weightsOf(), "client"))].map(([tensor, digest]) => ({
    tensor,
    sha256: digest,
  })),
  weights: [],
  inputs: [],
  cuts: [],
  tails: [],
  clientOutputs: [],
  reveals: [],
};

function buildFiles(weights = weightsOf()): Map<string, Uint8Array> {
  const files = new Map([
    ["manifest.json", text(canonicalJson(manifest))],
    ["program.mir", text(mir)],
  ]);
  for (const role of roles) {
    const { ts, js } = emitProgram(plan, role, facts);
    files.set(`${role}/program.ts`, text(ts));
    files.set(`${role}/program.js`, text(js));
    files.set(`${role}/manifest.json`, text(canonicalJson(manifest)));
    files.set(`${role}/program.mir`, text(mir));
    if (role !== "dealer") files.set(`${role}/weights.safetensors`, packWeights(plan, weights, role));
  }
  return files;
}

async function codesOf(run: () => unknown): Promise<readonly string[]> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    // Every refusal comes with advice.
    for (const { help } of error.diagnostics) expect(help).toBeDefined();
    return error.diagnostics.map(({ code }) => code);
  }
  return [];
}

let home = "";
let dir = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "marillc-build-"));
  dir = join(home, "build");
});
afterEach(() => rmSync(home, { recursive: true }));

describe("packed weights", () => {
  test("a role's file has the weights that the role may hold, and their integers round-trip", () => {
    const program = { weights: plan.weights };
    const all = integerWeights(program as Parameters<typeof integerWeights>[0], weightsOf());
    expect(unpackWeights(packWeights(plan, weightsOf(), "server"))).toEqual(all);
    expect([...unpackWeights(packWeights(plan, weightsOf(), "client")).keys()]).toEqual(["model.o.weight@12"]);
    expect(unpackWeights(packWeights(plan, weightsOf(), "dealer"))).toEqual(new Map());
  });

  test("private weights change nothing in the files of other parties", () => {
    const other = new Map([...weightsOf(2), ["model.o.weight", weightsOf().get("model.o.weight")!]]);
    const [before, after] = [buildFiles(), buildFiles(other)];
    const differing = [...before.keys()].filter((path) => !Buffer.from(before.get(path)!).equals(after.get(path)!));
    expect(differing).toEqual(["server/weights.safetensors"]);
  });

  test("a tensor at three scales is three weights, each in the smallest type that holds it", () => {
    const decl = (scale: number, width: number): WeightDecl => ({
      form: "public",
      tensor: `w@${scale}`,
      shape: [3],
      width,
      scale,
    });
    const weights = { coarse: decl(4, 16), fine: decl(20, 32), finest: decl(40, 60) };
    const bytes = packWeights({ weights }, new Map([["w", tensor([3], [-1.5, 0.25, 2])]]), "client");
    expect(new TextDecoder().decode(bytes)).toMatch(
      /"w@4":\{"dtype":"I16".*"w@20":\{"dtype":"I32".*"w@40":\{"dtype":"I64"/,
    );
    const back = unpackWeights(bytes);
    for (const scale of [4, 20, 40]) {
      expect([...back.get(`w@${scale}`)!.data!]).toEqual([-1.5, 0.25, 2].map((x) => x * 2 ** scale));
    }
  });

  test("a weight that its ring does not hold is refused, not truncated", async () => {
    const wide = new Map([...weightsOf(), ["model.o.weight", tensor([4, 3], new Float64Array(12).fill(3))]]);
    expect(await codesOf(() => packWeights(plan, wide, "client"))).toEqual(["MRL0624"]);
  });
});

describe("writing a build", () => {
  test("writing twice gives the same bytes and leaves nothing beside the build", () => {
    writeBuild(dir, buildFiles());
    const read = (): Map<string, string> =>
      new Map([...buildFiles().keys()].map((path) => [path, readFileSync(join(dir, path)).toString("hex")]));
    const first = read();
    writeBuild(dir, buildFiles());
    expect(read()).toEqual(first);
    expect(readdirSync(home)).toEqual(["build"]);
    expect(statSync(join(dir, "server/weights.safetensors")).mode & 0o077).toBe(0);
  });

  test("a new build removes the files of an earlier one", () => {
    writeBuild(dir, new Map([...buildFiles(), ["client/head.onnx", text("old")]]));
    writeBuild(dir, buildFiles());
    expect(existsSync(join(dir, "client/head.onnx"))).toBe(false);
  });

  test("an empty folder or a build is accepted, and any other folder is refused", async () => {
    mkdirSync(dir);
    writeBuild(dir, buildFiles());
    writeFileSync(join(dir, "client/notes.txt"), "mine");
    expect(await codesOf(() => writeBuild(dir, buildFiles()))).toEqual(["MRL0602"]);
    expect(readFileSync(join(dir, "client/notes.txt"), "utf8")).toBe("mine");
    rmSync(join(dir, "client/notes.txt"));
    mkdirSync(join(dir, "client/identity"));
    expect(await codesOf(() => writeBuild(dir, buildFiles()))).toEqual(["MRL0602"]);
    const other = join(home, "other");
    mkdirSync(other);
    writeFileSync(join(other, "config.json"), "{}");
    expect(await codesOf(() => writeBuild(other, buildFiles()))).toEqual(["MRL0602"]);
    rmSync(join(other, "config.json"));
    writeFileSync(join(other, "manifest.json"), '{"name":"a web page"}');
    expect(await codesOf(() => writeBuild(other, buildFiles()))).toEqual(["MRL0602"]);
    const file = join(home, "file");
    writeFileSync(file, "");
    expect(await codesOf(() => writeBuild(file, buildFiles()))).toEqual(["MRL0601"]);
    expect(await codesOf(() => writeBuild(join(file, "below"), buildFiles()))).toEqual(["MRL0603"]);
  });

  test("where the new build cannot take its place, the old one comes back", async () => {
    writeBuild(dir, buildFiles());
    const before = readFileSync(join(dir, "manifest.json"));
    const staged = stageBuild(dir, buildFiles());
    // The old build is moved away first; without a new one, the second rename fails.
    rmSync(staged.folder, { recursive: true });
    expect(await codesOf(staged.commit)).toEqual(["MRL0603"]);
    expect(readFileSync(join(dir, "manifest.json"))).toEqual(before);
    expect(readdirSync(dirname(dir)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("a folder that cannot be replaced is known before compiling, and nothing is left there", async () => {
    writeFileSync(join(dirname(dir), "file"), "");
    expect(await codesOf(() => checkBuildFolder(join(dirname(dir), "file")))).toEqual(["MRL0601"]);
    expect(await codesOf(() => checkBuildFolder(join(dirname(dir), "file", "build")))).toEqual(["MRL0603"]);
    expect(await codesOf(() => checkBuildFolder(join(dirname(dir), "new", "build")))).toEqual([]);
    expect(existsSync(join(dirname(dir), "new"))).toBe(false);
    expect(readdirSync(dirname(dir)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("a path that leads out of the folder is refused", () => {
    for (const path of ["../x", "/x", "a//b", "a\\b", "", "./a"]) {
      expect(() => writeBuild(dir, new Map([[path, text("")]]))).toThrow("expected a path inside");
    }
    expect(existsSync(dir)).toBe(false);
  });
});

describe("loading a party", () => {
  const change = (path: string, edit: (content: string) => string): void => {
    const file = join(dir, path);
    writeFileSync(file, edit(readFileSync(file, "utf8")));
  };
  const codes = (role: Role, from = dir): Promise<readonly string[]> => codesOf(() => loadParty(from, role));
  beforeEach(() => writeBuild(dir, buildFiles()));

  test("a party loads from the build or from its own folder, and runs", async () => {
    for (const role of roles) {
      const fromBuild = await loadParty(dir, role);
      const { body: _, ...program } = (await loadParty(join(dir, role), role)).program;
      expect(fromBuild.program).toMatchObject(program);
      expect(fromBuild.dir).toBe(join(dir, role));
      expect(fromBuild.manifest).toEqual(manifest);
      expect(fromBuild.mir).toBe(mir);
    }
    const { program } = await loadParty(dir, "client");
    const { tensors } = await loadParty(dir, "server");
    const { results } = await runSession(program, tensors, [{ x: input() }]);
    expect(results[0]!.outputs.get("logits")!.shape).toEqual([9]);
  });

  test("an adapter is chosen among those that are there, and there is no default", async () => {
    writeBuild(dir, buildFiles());
    expect(chosenAdapter(dir, undefined)).toBe(undefined);
    expect(await codesOf(() => chosenAdapter(dir, "x"))).toEqual(["MRL0626"]);
    const files = buildFiles();
    files.set("server/adapter-x.safetensors", files.get("server/weights.safetensors")!);
    writeBuild(dir, files);
    expect(chosenAdapter(dir, "x")).toBe("x");
    for (const other of [undefined, "y"]) expect(await codesOf(() => chosenAdapter(dir, other))).toEqual(["MRL0626"]);
  });

  test("a party's folder has its module text", async () => {
    rmSync(join(dir, "client/program.mir"));
    expect(await codes("client")).toEqual(["MRL0613"]);
  });

  test("what runs is what was checked: a folder with a program is its party's, and holds no other", async () => {
    const [own, ran] = [join(dir, "client"), "globalThis.strangeProgramRan = true;\n"];
    // An auditor's folder of the server's files, with a program for the client below; and the server's own with one more.
    for (const [folder, inner] of [
      [join(dir, "server"), "client"],
      [own, "client"],
      [own, "server"],
    ] as const) {
      mkdirSync(join(folder, inner));
      for (const file of readdirSync(own).filter((name) => name.includes(".")))
        writeFileSync(join(folder, inner, file), readFileSync(join(own, file)));
      const program = join(folder, inner, "program.js");
      writeFileSync(program, `${readFileSync(program, "utf8")}${ran}`);
      expect(checkBuild({ build: folder }).passed).toBe(false);
      expect(await codes(folder === own ? "client" : "server", folder)).toEqual(["MRL0610"]);
      expect(await codes("client", folder)).toEqual(["MRL0610"]);
      expect(globalThis).not.toHaveProperty("strangeProgramRan");
      rmSync(join(folder, inner), { recursive: true });
    }
    // A build with the files of a party at its root is that party's folder, with folders that do not belong there.
    for (const file of readdirSync(own)) writeFileSync(join(dir, file), readFileSync(join(own, file)));
    expect(checkBuild({ build: dir }).blockers.map(({ code }) => code)).toContain("MRL0912");
    for (const role of roles) expect(await codes(role)).toEqual(["MRL0610"]);
  });

  test("every party's files are a closed list", () => {
    for (const name of ["server/more.js", "server/decode.js", "server/notes.txt", "dealer/weights.safetensors"]) {
      writeFileSync(join(dir, name), "more");
      expect(checkBuild({ build: dir }).blockers).toContainEqual(
        expect.objectContaining({ code: "MRL0912", at: name, message: "the file is not part of a build" }),
      );
      rmSync(join(dir, name));
    }
  });

  test("a new build in the same folder replaces one that was loaded before", async () => {
    await loadParty(dir, "client");
    change("client/program.js", (js) => js.replace('name: "gated"', 'name: "other"'));
    expect((await loadParty(dir, "client")).program.name).toBe("other");
  });

  test("a file that is missing or from another build is reported", async () => {
    expect(await codes("client", join(home, "nowhere"))).toEqual(["MRL0610"]);
    expect(await codes("client", home)).toEqual(["MRL0610"]);
    expect(await codes("server", join(dir, "client"))).toEqual(["MRL0615"]);
    change("client/manifest.json", (json) => json.replace('"schema": 1', '"schema": 2'));
    expect(await codes("client")).toEqual(["MRL0612"]);
    change("dealer/manifest.json", (json) => json.replace(version, "99.0.0"));
    expect(await codes("dealer")).toEqual(["MRL0612"]);
    change("server/manifest.json", () => "{");
    expect(await codes("server")).toEqual(["MRL0611"]);
    change("server/manifest.json", () => '{"schema":1,"compiler":"'.concat(version, '"}'));
    expect(await codes("server")).toEqual(["MRL0611"]);
    for (const json of ["null", "[]", '"text"', "3"]) {
      change("server/manifest.json", () => json);
      expect(await codes("server"), json).toEqual(["MRL0611"]);
    }
    for (const field of ["name", "setting", "programHash"]) {
      change("server/manifest.json", () => canonicalJson({ ...manifest, [field]: 7 }));
      expect(await codes("server"), field).toEqual(["MRL0611"]);
    }
    rmSync(join(dir, "server/manifest.json"));
    expect(await codes("server")).toEqual(["MRL0611"]);
  });

  test("a program or a module that the manifest does not name is refused", async () => {
    change("server/program.mir", (content) => content.replace("[-2, 2]", "[-3, 3]"));
    expect(await codes("server")).toEqual(["MRL0613"]);
    change("dealer/program.js", (js) => js.replace(facts.hash, "0".repeat(64)));
    expect(await codes("dealer")).toEqual(["MRL0616"]);
    change("client/program.js", (js) => js.replace('setting: "2pc-dealer"', 'setting: "2pc"'));
    expect(await codes("client")).toEqual(["MRL0616"]);
    change("client/program.js", (js) => js.replace(/\bname: "[^"]*"/, "name: 7"));
    expect(await codes("client")).toEqual(["MRL0614"]);
    change("client/program.js", (js) => `${js}}`);
    expect(await codes("client")).toEqual(["MRL0614"]);
    change("client/program.js", (js) => `${js.split("\n")[0]}\nexport const program = {};`);
    expect(await codes("client")).toEqual(["MRL0614"]);
  });

  test("every digest of the manifest is recomputed from what is loaded", async () => {
    // Two entries of the public weight exchanged: a valid file of the same form.
    const name = "model.o.weight@12";
    const swapped = (role: "client" | "server"): void => {
      const file = join(dir, role, "weights.safetensors");
      const bytes = new Uint8Array(readFileSync(file));
      const { offset } = parseSafetensorsHeader(bytes, bytes.length, file).entries.find((each) => each.name === name)!;
      [bytes[offset], bytes[offset + 2]] = [bytes[offset + 2]!, bytes[offset]!];
      writeFileSync(file, bytes);
    };
    expect((await loadParty(dir, "client")).manifestHash).toBe(sha256(text(canonicalJson(manifest))));
    swapped("server");
    expect(await codes("server")).toEqual(["MRL0617"]);
    swapped("client");
    expect(await codes("client")).toEqual(["MRL0617", "MRL0617"]);
    swapped("client");
    writeFileSync(join(dir, "client/public.onnx"), "another graph");
    expect(await codes("client")).toEqual(["MRL0617"]);
  });

  test("the weights of a file are exactly those that the program declares", async () => {
    const own = (role: Role): string => join(dir, role, "weights.safetensors");
    const name = "model.o.weight@12";
    const stored = (shape: readonly number[], data: Int16Array) => [
      { name, dtype: "int16" as const, shape, bytes: new Uint8Array(data.buffer) },
    ];
    writeFileSync(own("client"), readFileSync(own("server")));
    expect(await codes("client")).toEqual(Array(4).fill("MRL0622"));
    writeFileSync(own("client"), writeSafetensors(stored([3, 4], new Int16Array(12))));
    expect(await codes("client")).toEqual(["MRL0623"]);
    writeFileSync(own("client"), writeSafetensors(stored([4, 3], new Int16Array(12).fill(2048))));
    expect(await codes("client")).toEqual(["MRL0624"]);
    const float = { name, dtype: "float32" as const, shape: [4, 3], bytes: new Uint8Array(48) };
    writeFileSync(own("client"), writeSafetensors([float]));
    expect(await codes("client")).toEqual(["MRL0625"]);
    writeFileSync(own("server"), writeSafetensors([]));
    expect(await codes("server")).toEqual(Array(5).fill("MRL0621"));
    writeFileSync(own("dealer"), writeSafetensors(stored([4, 3], new Int16Array(12))));
    expect(await codes("dealer")).toEqual(["MRL0622"]);
    rmSync(own("client"));
    expect(await codes("client")).toEqual(["MRL0620"]);
  });
});
