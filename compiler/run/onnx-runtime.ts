import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { fail } from "../../ir/diagnostic.ts";
import { scanLimits } from "../onnx/format/index.ts";
import { readWholeFile } from "../tensors/files/index.ts";
import { externalFiles } from "./onnx-external.ts";

/** `native`: the package onnxruntime-node. `wasm`: WebAssembly, which the package brings along. */
export const runtimeNames = ["native", "wasm"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

/** ONNX Runtime, in the form that is there: same sessions, same results within float32 rounding. */
export interface OnnxRuntime {
  readonly name: RuntimeName;
  readonly version: string;
  /** Why it is not the native one, where nobody asked for that. */
  readonly because?: string;
  readonly Tensor: typeof Tensor;
  readonly open: (file: string) => Promise<InferenceSession>;
}

/** Names a runtime for every command; unset: native where it is installed. */
export const runtimeVariable = "MARILLC_ONNX_RUNTIME";

const nativePackage = "onnxruntime-node";

type Ort = typeof import("onnxruntime-web/wasm");

/** Loads each runtime once; a party's thread loads its own. */
const loaded = new Map<RuntimeName, Promise<OnnxRuntime>>();

/** The runtime that is asked for. @throws DiagnosticError MRL0815 where it is not there, or where none has this name. */
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
  // Its name in a variable: a bundler must not look for what is not installed.
  const name: string = nativePackage;
  const module = (await import(/* @vite-ignore */ name)) as { readonly default?: Ort } & Ort;
  const ort = module.default ?? module;
  const options: InferenceSession.SessionOptions = {
    // A thread of its own per party: more would take the others'.
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

/** Of a session and of each run. Fatal only: what goes wrong is said once, by us. */
export const logSeverityLevel = 4;

/** One line; a package that is not there needs no path to say so. */
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
