import { outsideBounds, type Program } from "../program/index.ts";
import type { IntTensor } from "../ring/index.ts";

/** Beyond its bounds a value wraps behind the share. Nothing is sent yet, so a party may look at its own integers. */
export function refuseOutside(
  program: Program,
  inputs: Readonly<Record<string, IntTensor>>,
  role: "client" | "server",
): void {
  for (const [name, declared] of Object.entries(program.inputs)) {
    if (declared.of === "shared") {
      refuseNoResidue(name, inputs[name], declared.width);
      continue;
    }
    if ((declared.of ?? "client") !== role) continue;
    const count = outsideBounds(inputs[name]!, declared);
    const bounds = `[${declared.lo}, ${declared.hi}]`;
    if (count > 0) throw new RangeError(`input ${name}: ${count} values are beyond the public bounds ${bounds}`);
  }
}

/** A residue says nothing of its value: any integer of the ring will do. */
function refuseNoResidue(name: string, residue: IntTensor | undefined, width: number): void {
  const most = 2 ** (width - 1);
  const isIn = (x: number): boolean => Number.isInteger(x) && x >= -most && x < most;
  if (!residue?.data?.every(isIn)) throw new RangeError(`input ${name}: expected a residue of ${width} bits`);
}
