import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkFlow } from "../../../compiler/audit/check-flow.ts";
import type { BuildFiles } from "../../../compiler/audit/party-files.ts";
import { securityTexts } from "../../../compiler/audit/security-texts.ts";
import { packWeights, weightDigests } from "../../../compiler/build/pack-weights.ts";
import type { Module } from "../../../ir/module.ts";
import { print } from "../../../ir/text/print.ts";
import { emitProgram } from "../../../targets/program/emit.ts";
import { planProgram } from "../../../targets/program/plan.ts";
import { golden, module as goldenModule, mir, plan, roles, transpiled, weightsOf } from "../../targets/programs.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (files: BuildFiles, path: string): string => new TextDecoder().decode(files.get(path)!);
const sha256 = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

/** The six program texts of a build. */
export const programPaths: readonly string[] = roles.flatMap((role) => [`${role}/program.ts`, `${role}/program.js`]);
export const manifestPaths: readonly string[] = ["manifest.json", ...roles.map((role) => `${role}/manifest.json`)];
export const modulePaths: readonly string[] = ["program.mir", ...roles.map((role) => `${role}/program.mir`)];

/** The same edit of several files. @throws Error where it changes none of them: the mutant would be no mutant. */
export function edited(files: BuildFiles, paths: readonly string[], edit: (text: string) => string): BuildFiles {
  const changed = paths.map((path): [string, string, string] => {
    const text = textOf(files, path);
    return [path, text, edit(text)];
  });
  if (changed.every(([, before, after]) => before === after)) throw new Error(`the edit changes none of ${paths}`);
  return new Map([...files, ...changed.map(([path, , after]): [string, Uint8Array] => [path, bytes(after)])]);
}

type Json = Record<string, unknown>;

/** Every copy of the manifest, with fields changed. */
export const withManifest = (files: BuildFiles, change: (manifest: Json) => Json): BuildFiles =>
  edited(files, manifestPaths, (text) => `${JSON.stringify(change(JSON.parse(text) as Json), undefined, 2)}\n`);

/** What any author of a build can do: the digests match again, everywhere. */
export function resealed(files: BuildFiles): BuildFiles {
  const { programHash } = JSON.parse(textOf(files, "manifest.json")) as { programHash: string };
  const hash = sha256(files.get("program.mir")!);
  const parts = ["weights.safetensors", "public.onnx", "head.onnx"].flatMap(
    (name) => files.get(`client/${name}`) ?? [],
  );
  const artefactsHash = sha256([hash, ...parts.map(sha256)].join("\n"));
  const programs = programPaths.map((path): [string, Uint8Array] => [
    path,
    bytes(
      textOf(files, path)
        .replaceAll(programHash, hash)
        .replace(`program.mir ${programHash.slice(0, 12)}…`, `program.mir ${hash.slice(0, 12)}…`),
    ),
  ]);
  return new Map([
    ...files,
    ...programs,
    ...manifestPaths.map((path): [string, Uint8Array] => {
      const manifest = { ...(JSON.parse(textOf(files, path)) as Json), programHash: hash, artefactsHash };
      return [path, bytes(`${JSON.stringify(manifest, undefined, 2)}\n`)];
    }),
  ]);
}

/** The manifest's digests of public integers. */
export const integersOf = (file: Uint8Array) =>
  [...weightDigests(file)].map(([tensor, digest]) => ({ tensor, sha256: digest }));

/** The golden programs round by shares before they open; the last one rounds as the system whose numerics they claim. */
const asCrypten = {
  mir: (text: string): string => text.replace(/(%logits\.shared\.t = .* via )local\.truncate/, "$1same-ring.truncate"),
  program: (text: string): string =>
    text
      .replace("oneWayReveal,\n", "oneWayReveal,\n      sameRingTruncate,\n")
      .replace('localTruncate.run(party.at("logits.shared.t")', 'sameRingTruncate.run(party.at("logits.shared.t")'),
};

/** A build of the golden programs, as the compiler would lay it out. */
export function goldenBuild(): BuildFiles {
  // The compiler writes no comments.
  const module = asCrypten.mir(mir.replace(/^\/\/.*\n/, ""));
  const manifest = {
    name: plan.name,
    setting: plan.setting,
    security: securityTexts.get(plan.setting),
    numerics: "crypten",
    programHash: sha256(mir),
    artefactsHash: "",
    weights: Object.values(goldenModule.params).map((name) =>
      name === "model.o.weight"
        ? { name, label: "public", why: "", shape: [4, 3], sha256: sha256(name) }
        : { name, label: "server", why: "", shape: [] },
    ),
    constants: [],
    integers: integersOf(packWeights(plan, weightsOf(), "client")),
    inputs: [{ name: "x", label: "client", shape: [3, 4], type: "f32" }],
    cuts: [{ value: "x", tensor: "x", shape: [3, 4], range: [plan.inputs.x!.lo, plan.inputs.x!.hi] }],
    tails: [],
    clientOutputs: [],
    reveals: [{ value: "logits", tensor: "logits", to: "client", shape: [9] }],
  };
  const files = new Map<string, Uint8Array>();
  for (const path of manifestPaths) files.set(path, bytes(JSON.stringify(manifest)));
  for (const path of modulePaths) files.set(path, bytes(module));
  for (const role of roles) {
    const text = asCrypten.program(readFileSync(join(golden, `gated.${role}.ts`), "utf8"));
    files.set(`${role}/program.ts`, bytes(text));
    files.set(`${role}/program.js`, bytes(transpiled(text)));
    if (role !== "dealer") files.set(`${role}/weights.safetensors`, packWeights(plan, weightsOf(), role));
  }
  return resealed(files);
}

/** The same build with another module: programs emitted, weights packed, digests matching, promises unchanged. */
export function withModule(files: BuildFiles, module: Module): BuildFiles {
  const { setting } = JSON.parse(textOf(files, "manifest.json")) as { setting: string };
  const text = print(module);
  const made = planProgram(module, setting);
  const facts = { hash: sha256(text), compiler: "0.0.0" };
  const next = new Map([...files]);
  for (const path of modulePaths) next.set(path, bytes(text));
  for (const role of roles) {
    const program = emitProgram(made, role, facts);
    next.set(`${role}/program.ts`, bytes(program.ts));
    next.set(`${role}/program.js`, bytes(program.js));
  }
  return resealed(next);
}

export const codesOf = (files: BuildFiles): readonly string[] => [
  ...new Set(checkFlow(files).findings.map(({ code }) => code)),
];
