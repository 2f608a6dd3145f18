import { type Module, type Op, opsOf, typeOf } from "../../ir/module.ts";
import { sizeOf } from "../../ir/type.ts";
import type { Departure } from "../../passes/4-quantize/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { openPlain } from "./plain.ts";

/**
 * Largest number of multiply-adds of a query that is interpreted beside the parties. The interpreter computes some tens
 * of millions a second in float64, and the parties several times as many.
 */
const maxWork = 2e9;

/** Compares a local run with the public bounds of its build: all folders lie on this machine, so it can. */
export interface LocalGuard {
  /** Values that leave their public bounds on these inputs; empty if none does. */
  readonly departures: (inputs: ReadonlyMap<string, TypedTensor>) => Promise<readonly Departure[]>;
  readonly release: () => Promise<void>;
}

interface LocalGuardOptions {
  readonly clamp: boolean;
  readonly adapter?: string | undefined;
  readonly onWarning?: ((line: string) => void) | undefined;
}

/** Opens the guard of a build, or says why it is left out. */
export async function openLocalGuard(
  dir: string,
  { clamp, adapter, onWarning }: LocalGuardOptions,
): Promise<LocalGuard | undefined> {
  const plain = await openPlain(dir, { clamp, ...(adapter !== undefined && { adapter }) });
  const work = opsOf(plain.module).reduce((sum, op) => sum + workOf(plain.module, op), 0);
  if (work <= maxWork) return plain;
  await plain.release();
  const billions = (work / 1e9).toPrecision(2);
  onWarning?.(
    `ranges are not compared: the interpreter would compute ${billions} billion products a query (at most ${maxWork / 1e9}); ` +
      "`compile --guard` has the parties check ranges",
  );
  return undefined;
}

/** Products of numbers that the interpreter computes for an operator, and at least one step per element. */
function workOf(module: Module, op: Op): number {
  const [x, w, v] = op.operands.map((id) => typeOf(module, id).shape);
  const size = sizeOf(typeOf(module, op.result).shape);
  const work: Readonly<Record<string, () => number>> = {
    matmul: () => size * (x!.at(-1) ?? 1),
    conv: () => size * sizeOf(w!.slice(1)),
    "low-rank": () =>
      (sizeOf(x!) / (x!.at(-1) ?? 1)) *
      op.operands.slice(1).reduce((sum, id) => sum + sizeOf(typeOf(module, id).shape), 0),
    attention: () => sizeOf(x!) * w!.at(-2)! + size * v!.at(-2)!,
  };
  return Math.max(size, Object.hasOwn(work, op.name) ? work[op.name]!() : 0);
}
