import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import type { OnnxModel } from "../onnx/format/index.ts";
import type { ResolvedOptions } from "./compile-options.ts";

/** Programs pass real numbers on in shares; integers select rows or conditions. @throws DiagnosticError MRL0411 */
export function refuseSharedIntegers({ graph, file }: OnnxModel, owners: ResolvedOptions["interface"]["owners"]): void {
  const refused = graph.inputs.flatMap(({ name, dtype }): Diagnostic[] => {
    if (owners.get(name) !== "shared" || !dtype || dtype.includes("float")) return [];
    const message = `input "${name}": expected real numbers, which two programs can pass on in shares, found ${dtype}`;
    const help = `give it an owner: --input ${name}:client or ${name}:server`;
    return [{ code: "MRL0411", message, at: file, help }];
  });
  throwIfAny(refused);
}
