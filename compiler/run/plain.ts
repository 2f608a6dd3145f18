import { interpret } from "../../ir/interpret.ts";
import type { Module } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { loadPartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClientOptions, openClientExecutor } from "./client-executor.ts";
import { loadMir } from "./load-mir.ts";
import { type ClampedValues, dequantizeOutput } from "./quantize-inputs.ts";
import { revealedToServer } from "./server-executor.ts";

/** What each reader would learn. */
export interface PlainOutputs {
  readonly outputs: ReadonlyMap<string, TypedTensor>;
  /** Outputs revealed to the server. */
  readonly serverOutputs: ReadonlyMap<string, TypedTensor>;
  readonly clamped: ClampedValues;
}

/**
 * Runs the fixed-point program of a build in the interpreter of the IR, without parties or shares. The parties' results
 * differ from this by the declared errors of their protocols only.
 */
export async function runPlain(
  dir: string,
  inputs: ReadonlyMap<string, TypedTensor>,
  options: ClientOptions = {},
): Promise<PlainOutputs> {
  const client = await loadPartyBuild(dir, "client");
  const { module, weights } = await loadPlain(dir);
  const part = await openClientExecutor(client, options);
  try {
    const prepared = await part.prepare(inputs);
    const shared = Object.entries(prepared.shared).map(([id, integers]): [string, Tensor] => [
      id,
      dequantizeOutput(integers, client.program.inputs[id]!.scale),
    ]);
    const results = interpret(module, weights, new Map(shared));
    const revealed = [...results].map(([id, { shape, data }]) => {
      const scale = client.program.outputs[id]!.scale;
      return [id, { kind: "int", shape, data: data.map((x) => Math.round(x * 2 ** scale)) }] as const;
    });
    const opened = new Map(revealed);
    return {
      outputs: await part.finish(prepared, opened),
      serverOutputs: revealedToServer(client, opened),
      clamped: prepared.clamped,
    };
  } finally {
    await part.release();
  }
}

/** Loads the fixed-point program of a build and its weights, for the interpreter. */
export async function loadPlain(dir: string): Promise<{ readonly module: Module; readonly weights: WeightStore }> {
  const server = await loadPartyBuild(dir, "server");
  const module = renameToOwn(await loadMir(server.mir, { file: "program.mir" }));
  const weights = new Map<string, Tensor>();
  for (const id of Object.keys(module.params)) {
    const decl = server.program.weights[id];
    const held = decl && server.tensors.get(decl.tensor);
    if (held?.data) weights.set(id, dequantizeOutput(held, decl!.scale));
  }
  return { module, weights };
}

/** Several parameters may use one tensor of the model at several scales: each then has its own integers. */
const renameToOwn = (module: Module): Module => ({
  ...module,
  params: Object.fromEntries(Object.keys(module.params).map((id) => [id, id])),
});
