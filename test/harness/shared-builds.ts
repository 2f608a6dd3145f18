/**
 * Builds that several test files read: the first file that asks compiles, the others read what it wrote. A build is
 * kept under build/ until a source of the compiler or one of its own inputs changes; so a second run compiles none.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type ModelOptions, resolveModelOptions } from "../../compiler/api/model-options.ts";
import { type Compilation, compileModel } from "../../compiler/compile/compile.ts";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "build/test-builds");
const sources = ["compiler", "ir", "passes", "runtime", "targets", "package.json"];
const fixture = join(root, "fixtures/date-llama");

/** The first prompts of the date model's calibration: measuring all 96 is most of the time of a compilation. */
export const dateCalibration = join(folder, "calibration.jsonl");
const calibrationPrompts = 16;
mkdirSync(folder, { recursive: true });
const prompts = readFileSync(join(fixture, "calibration.jsonl"), "utf8").split("\n").slice(0, calibrationPrompts);
writeWhole(dateCalibration, `${prompts.join("\n")}\n`);

/** The date model with its adapter, as `npm run demo` compiles it, but for the number of calibration prompts. */
export const dateOptions = {
  model: join(fixture, "base-ts17.onnx"),
  adapter: join(fixture, "adapter"),
  reveal: { logits: "client" },
  calibrate: dateCalibration,
  quality: "fast",
} as const satisfies ModelOptions;

export type SharedBuild = Pick<Compilation, "files" | "manifest">;

export const dateBuild = (): SharedBuild => sharedBuild("date", dateOptions);

function filesIn(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => join(path, name)).filter((file) => statSync(file).isFile());
}

/** Of every source of the compiler, the options, and the files that they name. */
function digestOf(options: ModelOptions): string {
  const hash = createHash("sha256").update(JSON.stringify(options).replaceAll(root, ""));
  const adapter = typeof options.adapter === "string" ? options.adapter : undefined;
  const inputs = [options.model, options.base, adapter, options.calibrate].filter((path) => path !== undefined);
  for (const path of [...sources.map((source) => join(root, source)), ...inputs]) {
    for (const file of filesIn(path)) hash.update(relative(root, file)).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 32);
}

const read = new Map<string, SharedBuild>();

function sharedBuild(name: string, options: ModelOptions): SharedBuild {
  const known = read.get(name);
  if (known) return known;
  const key = `${name}-${digestOf(options)}`;
  locked(join(folder, `${key}.lock`), () => {
    if (!readdirSync(folder).includes(key)) write(name, key, compileModel(resolveModelOptions(options)).files);
  });
  const at = join(folder, key);
  const files = new Map(
    filesIn(at).map((file): [string, Uint8Array] => [relative(at, file), new Uint8Array(readFileSync(file))]),
  );
  const manifest = JSON.parse(new TextDecoder().decode(files.get("manifest.json"))) as Compilation["manifest"];
  const build = { files, manifest };
  read.set(name, build);
  return build;
}

/** Another worker reads the file before or after, never a part of it. */
function writeWhole(path: string, text: string): void {
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, path);
}

/** Whole or not at all, in the place of those of other sources. */
function write(name: string, key: string, files: Compilation["files"]): void {
  for (const other of readdirSync(folder)) {
    if (other.startsWith(`${name}-`) && !other.endsWith(".lock")) rmSync(join(folder, other), { recursive: true });
  }
  const partial = join(folder, `${key}.${process.pid}`);
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(partial, path)), { recursive: true });
    writeFileSync(join(partial, path), bytes);
  }
  renameSync(partial, join(folder, key));
}

/** One worker at a time. A worker that was killed leaves a lock that is not waited for longer than a test may take. */
function locked(lock: string, work: () => void): void {
  const started = Date.now();
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (Date.now() - started > 240_000) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
  try {
    work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
