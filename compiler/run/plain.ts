import { interpret } from "../../ir/interpret.ts";
import type { Module } from "../../ir/module.ts";
import type { Tensor, WeightStore } from "../../ir/weights.ts";
import { loadPart } from "../build/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { openClientPart } from "./client-part.ts";
import { dequantise } from "./quantise.ts";
import { readModule } from "./read-module.ts";

/**
 * The same fixed-point program on the build's integers, computed by the interpreter of the IR: no parties, no shares.
 * What the parties compute differs from this by the declared errors of their protocols and nothing else.
 */
export async function runPlain(
  dir: string,
  inputs: ReadonlyMap<string, TypedTensor>,
): Promise<ReadonlyMap<string, TypedTensor>> {
  const client = await loadPart(dir, "client");
  const { module, weights } = await loadPlain(dir);
  const part = await openClientPart(client);
  try {
    const prepared = await part.before(inputs);
    const shared = Object.entries(prepared.shared).map(([id, integers]): [string, Tensor] => [
      id,
      dequantise(integers, client.program.inputs[id]!.scale),
    ]);
    const results = interpret(module, weights, new Map(shared));
    const revealed = [...results].map(([id, { shape, data }]) => {
      const scale = client.program.outputs[id]!.scale;
      return [id, { kind: "int", shape, data: data.map((x) => Math.round(x * 2 ** scale)) }] as const;
    });
    return await part.after(prepared, new Map(revealed));
  } finally {
    await part.release();
  }
}

/** The fixed-point program of a build and its integers, as the interpreter takes them. */
export async function loadPlain(dir: string): Promise<{ readonly module: Module; readonly weights: WeightStore }> {
  const server = await loadPart(dir, "server");
  const module = byOwnNames(await readModule(server.mir, { file: "program.mir" }));
  const weights = new Map<string, Tensor>();
  for (const id of Object.keys(module.params)) {
    const decl = server.program.weights[id];
    const held = decl && server.tensors.get(decl.tensor);
    if (held?.data) weights.set(id, dequantise(held, decl!.scale));
  }
  return { module, weights };
}

/** One tensor of the model may be used at several scales: each parameter then has integers of its own. */
const byOwnNames = (module: Module): Module => ({
  ...module,
  params: Object.fromEntries(Object.keys(module.params).map((id) => [id, id])),
});
