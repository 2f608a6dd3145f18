import { interpret } from "../../ir/interpret.ts";
import type { Module } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/tensor.ts";
import { loadPartyBuild } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { openClientExecutor } from "./client-executor.ts";
import { loadMir } from "./load-mir.ts";
import { dequantizeOutput } from "./quantize-inputs.ts";

/**
 * The same fixed-point program on the build's integers, computed by the interpreter of the IR: no parties, no shares.
 * What the parties compute differs from this by the declared errors of their protocols and nothing else.
 */
export async function runPlain(
  dir: string,
  inputs: ReadonlyMap<string, TypedTensor>,
): Promise<ReadonlyMap<string, TypedTensor>> {
  const client = await loadPartyBuild(dir, "client");
  const { module, weights } = await loadPlain(dir);
  const part = await openClientExecutor(client);
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
    return await part.finish(prepared, new Map(revealed));
  } finally {
    await part.release();
  }
}

/** The fixed-point program of a build and its integers, as the interpreter takes them. */
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

/** One tensor of the model may be used at several scales: each parameter then has integers of its own. */
const renameToOwn = (module: Module): Module => ({
  ...module,
  params: Object.fromEntries(Object.keys(module.params).map((id) => [id, id])),
});
