import { outsideBounds, type Program } from "../program/index.ts";
import type { IntTensor } from "../ring/index.ts";

/** Beyond its bounds a value wraps behind the share. Nothing is sent yet, so a party may look at its own integers. */
export function refuseOutside(
  program: Program,
  inputs: Readonly<Record<string, IntTensor>>,
  role: "client" | "server",
): void {
  for (const [name, declared] of Object.entries(program.inputs)) {
    if ((declared.of ?? "client") !== role) continue;
    const count = outsideBounds(inputs[name]!, declared);
    const bounds = `[${declared.lo}, ${declared.hi}]`;
    if (count > 0) throw new RangeError(`input ${name}: ${count} values are beyond the public bounds ${bounds}`);
  }
}
