import { removeDead } from "../../../../ir/edit.ts";
import { type Module, type Op, opsOf, type ValueId } from "../../../../ir/module.ts";
import type { Tensor } from "../../../../ir/tensor.ts";
import { constantPrefix } from "../graph/index.ts";

/** Equal operators on equal operands have equal results: each is computed once. Outputs keep their own. */
export function mergeCommonSubexpressions(module: Module, weights: ReadonlyMap<string, Tensor>): Module {
  const standIn = new Map<ValueId, ValueId>();
  const first = new Map<string, ValueId>();
  const outputs = new Set(module.outputs);
  for (const [id, key] of Object.entries(module.params)) {
    const tensor = key.startsWith(constantPrefix) ? weights.get(key) : undefined;
    if (tensor) remember(`${module.values[id]!.type.element.kind} ${contentOf(tensor)}`, id);
  }
  function remember(content: string, id: ValueId): void {
    const known = first.get(content);
    if (known === undefined) first.set(content, id);
    else if (!outputs.has(id)) standIn.set(id, known);
  }
  const steps = opsOf(module).map((op) => {
    const operands = op.operands.map((id) => standIn.get(id) ?? id);
    const merged: Op = operands.some((id, index) => id !== op.operands[index]) ? { ...op, operands } : op;
    remember(`${op.name} ${operands.join()} ${JSON.stringify(Object.entries(op.attrs).sort())}`, op.result);
    return { ops: [merged] };
  });
  return standIn.size === 0 ? module : removeDead({ ...module, steps });
}

function contentOf({ shape, data }: Tensor): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return `[${shape.join()}] ${bytes.toString("base64")}`;
}
