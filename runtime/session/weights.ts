import { createStreams } from "../correlations/streams.ts";
import type { Program, WeightDecl, WeightHandle } from "../program.ts";
import { fromIntegers, pack, sub, unpack } from "../ring/index.ts";
import { ghost, type IntTensor, integers, packedBytes, type RingTensor } from "../ring/tensor.ts";
import type { Role } from "../steps.ts";

/** The weights that are hidden from the dealer and the client alike, in the order of the program. */
export const knownWeights = (program: Program): readonly (readonly [string, WeightDecl])[] =>
  Object.entries(program.weights).filter(([, decl]) => decl.form === "known");

export const hiddenBytes = (program: Program): number =>
  knownWeights(program).reduce((sum, [, { shape, width }]) => sum + packedBytes(shape, width), 0);

/** Integers of a tensor at the parties that know it, a ghost elsewhere. */
function integersOf(role: Role, decl: WeightDecl, tensors: ReadonlyMap<string, IntTensor>): IntTensor {
  const knows = decl.form === "public" ? role !== "dealer" : role === "server";
  if (!knows) return integers(decl.shape, undefined);
  const tensor = tensors.get(decl.tensor);
  if (!tensor) throw new Error(`the ${role}'s weights lack ${decl.tensor}`);
  return tensor;
}

/**
 * Weight handles of one party for one session. The server sends the dealer each known weight minus a pad that it
 * shares with the client: uniform, since the dealer does not know the pad's seed. Once per session; every query uses
 * fresh masks against it (LIN-PK setup, protocols.md 1.1).
 */
export function weightHandles(
  role: Role,
  program: Program,
  tensors: ReadonlyMap<string, IntTensor>,
  jointSeed: Uint8Array | undefined,
  hidden: Uint8Array | undefined,
): { readonly handles: Readonly<Record<string, WeightHandle>>; readonly toDealer: Uint8Array } {
  const pads = jointSeed && createStreams(jointSeed, "weights");
  const parts: Uint8Array[] = [];
  let offset = 0;
  const handles = Object.entries(program.weights).map(([name, decl]): [string, WeightHandle] => {
    const values = integersOf(role, decl, tensors);
    if (decl.form !== "known") return [name, values];
    const { shape, width } = decl;
    const unknown = ghost(shape, width);
    const pad: RingTensor = pads ? pads(name, "pad").ring(shape, width) : unknown;
    let share = unknown;
    if (role === "server") parts.push(pack(sub(fromIntegers(values, width), pad)));
    if (role === "dealer" && hidden) {
      const bytes = packedBytes(shape, width);
      share = unpack(hidden.subarray(offset, offset + bytes), shape, width);
      offset += bytes;
    }
    return [name, { kind: "weight", shape, width, values, pad, hidden: share }];
  });
  return { handles: Object.fromEntries(handles), toDealer: concatBytes(parts) };
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
