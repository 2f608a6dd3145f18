import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { fail } from "../../ir/diagnostic.ts";
import { scanLimits } from "../onnx/format/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { externalFiles } from "./onnx-external.ts";
import { type RuntimeInfo, type RuntimeName, runtimeNames } from "./runtime-name.ts";

export { type RuntimeName, runtimeNames };

/** ONNX Runtime in either build: the same sessions, the same results within float32 rounding. */
export interface OnnxRuntime extends RuntimeInfo {
  readonly Tensor: typeof Tensor;
  readonly open: (file: string) => Promise<InferenceSession>;
}

/** Selects the build for every command. Default: native if it is installed, otherwise wasm. */
export const runtimeVariable = "MARILLC_ONNX_RUNTIME";

const nativePackage = "onnxruntime-node";

type Ort = typeof import("onnxruntime-web/wasm");

/** Each build is loaded once per thread; each party's thread loads its own. */
const loaded = new Map<RuntimeName, Promise<OnnxRuntime>>();

/** Loads the requested build. @throws DiagnosticError MRL0815 if it has another name, or cannot be loaded */
export async function onnxRuntime(wanted = process.env[runtimeVariable] ?? ""): Promise<OnnxRuntime> {
  if (wanted === "") return await preferred();
  const name = runtimeNames.find((each) => each === wanted) ?? refuse("does not exist", wanted);
  return await load(name).catch((error: unknown) => refuse(`cannot be loaded: ${reasonOf(error)}`, wanted));
}

async function preferred(): Promise<OnnxRuntime> {
  try {
    return await load("native");
  } catch (error) {
    return { ...(await load("wasm")), because: reasonOf(error) };
  }
}

function load(name: RuntimeName): Promise<OnnxRuntime> {
  const made = loaded.get(name) ?? (name === "native" ? loadNative() : loadWasm());
  loaded.set(name, made);
  return made;
}

async function loadNative(): Promise<OnnxRuntime> {
  // The name is in a variable, so that bundlers do not resolve an optional package.
  const name: string = nativePackage;
  const module = (await import(/* @vite-ignore */ name)) as { readonly default?: Ort } & Ort;
  const ort = module.default ?? module;
  const options: InferenceSession.SessionOptions = {
    // Each party has one thread; more would compete with the other parties.
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    logSeverityLevel,
  };
  const version = ort.env.versions.node ?? ort.env.versions.common;
  return { name: "native", version, Tensor: ort.Tensor, open: (file) => ort.InferenceSession.create(file, options) };
}

async function loadWasm(): Promise<OnnxRuntime> {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "fatal";
  return {
    name: "wasm",
    version: ort.env.versions.web ?? ort.env.versions.common,
    Tensor: ort.Tensor,
    open: async (file) => {
      const bytes = readWholeFile(file, scanLimits.bytes);
      return await ort.InferenceSession.create(bytes, { externalData: externalFiles(bytes, file), logSeverityLevel });
    },
  };
}

/** Fatal only, for sessions and runs: marillc reports errors itself. */
export const logSeverityLevel = 4;

/** One line, without the paths that Node lists for a missing package. */
function reasonOf(error: unknown): string {
  const { code, message = String(error) } = error as NodeJS.ErrnoException;
  if (code === "ERR_MODULE_NOT_FOUND" && message.includes(nativePackage)) return `${nativePackage} is not installed`;
  return message.split("\n")[0]!;
}

const refuse = (what: string, wanted: string): never =>
  fail({
    code: "MRL0815",
    message: `the ONNX Runtime "${wanted}" ${what}`,
    at: runtimeVariable,
    help: `leave ${runtimeVariable} unset, set it to wasm, or install the native one: npm install ${nativePackage}`,
  });
