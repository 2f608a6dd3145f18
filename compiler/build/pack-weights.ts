import { type Diagnostic, throwIfAny } from "../../ir/diagnostic.ts";
import { toRaw } from "../../ir/interpret.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sameShape } from "../../ir/type.ts";
import type { Role } from "../../runtime/core/index.ts";
import type { WeightDecl } from "../../runtime/program/index.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/index.ts";
import { modelTensorOf, type ProgramPlan } from "../../targets/program/plan.ts";
import { fileDiagnostic, readWholeFile } from "../tensors/files/index.ts";
import { decodeElements, encodeElements, parseSafetensorsHeader, writeSafetensors } from "../tensors/index.ts";
import { sha256 } from "./sha256.ts";

/** Largest weight file that is read whole: a buffer of Node holds at most 4 GiB. */
const maxBytes = 2 ** 32 - 2;

/** Whether a role may hold a weight: client and server hold public ones, the server alone the others, the dealer none. */
export const mayHoldWeight = (role: Role, { form }: WeightDecl): boolean =>
  role === "server" || (role === "client" && (form === "public" || form === "disclosed"));

type WeightDecls = Readonly<Record<string, WeightDecl>>;

/** The declarations of a role by name in its weight file; a weight that several rings use has several. */
function declarationsByTensor(weights: WeightDecls, role: Role): ReadonlyMap<string, readonly WeightDecl[]> {
  const byTensor = new Map<string, WeightDecl[]>();
  for (const decl of Object.values(weights).filter((each) => mayHoldWeight(role, each))) {
    byTensor.set(decl.tensor, [...(byTensor.get(decl.tensor) ?? []), decl]);
  }
  return byTensor;
}

/** The same advice as for a weight that leaves its ring in the interpreter (MRL0390). */
const fitting = "bound the weights by their own powers of two: run `marillc compile` with --publish-ranges";

/**
 * Writes the weight file of a role: integers round(w·2^scale) in the order of the program, each tensor in the smallest
 * of int16, int32 and int64 that holds it, a private one in one that holds every weight of its scale.
 * @throws DiagnosticError MRL0624 for a value that its ring does not hold
 */
export function packWeights(
  plan: Pick<ProgramPlan, "weights">,
  weights: ReadonlyMap<string, Tensor>,
  role: Role,
): Uint8Array {
  const declarations = [...declarationsByTensor(plan.weights, role)];
  const tensors = declarations.map(([name, [decl]]): readonly [string, IntTensor] => {
    const real = weights.get(modelTensorOf(decl!));
    if (!real) throw new Error(`expected weight ${modelTensorOf(decl!)} of the plan, found none in the weight store`);
    return [name, intTensor(decl!.shape, toRaw(real, decl!.scale).data)];
  });
  throwIfAny(
    checkPackedWeights(plan.weights, new Map(tensors), role, "the model").map((each) => ({ ...each, help: fitting })),
  );
  const decls = new Map(declarations);
  const leastBitsOf = (name: string): number => {
    const [{ form, scale }] = decls.get(name) as readonly [WeightDecl];
    return form === "public" || form === "disclosed" ? 1 : bitsBeforePoint + scale;
  };
  return writeSafetensors(
    tensors.map(([name, { shape, data }]) => {
      const dtype = writtenDtypeOf(data!, leastBitsOf(name));
      return { name, dtype, shape, bytes: encodeElements(dtype, data!) };
    }),
  );
}

/** Bits that every private weight may take before the point: a sign, and magnitudes below 8 (4-quantize). */
const bitsBeforePoint = 4;

/** The type follows from the scale where it can: the size of a file then says nothing of a private weight. */
function writtenDtypeOf(data: Float64Array, leastBits: number): "int16" | "int32" | "int64" {
  const most = data.reduce((largest, x) => Math.max(largest, x < 0 ? -1 - x : x), 2 ** (leastBits - 1) - 1);
  return most < 2 ** 15 ? "int16" : most < 2 ** 31 ? "int32" : "int64";
}

/**
 * Reads the integers of a weight file, by name.
 * @throws DiagnosticError MRL0625 for a tensor of another element type
 */
export function unpackWeights(source: Uint8Array | string): ReadonlyMap<string, IntTensor> {
  const file = typeof source === "string" ? source : "weights.safetensors";
  const bytes = typeof source === "string" ? readWholeFile(source, maxBytes) : source;
  const { entries } = parseSafetensorsHeader(bytes, bytes.length, file);
  const isWrong = ({ dtype }: (typeof entries)[number]): boolean => !/^int(16|32|64)$/.test(dtype);
  throwIfAny(
    entries.filter(isWrong).map(({ name, dtype }) => {
      return fileDiagnostic(
        "MRL0625",
        `${file}, tensor "${name}"`,
        `expected int16, int32 or int64, found ${dtype}`,
        recompile,
      );
    }),
  );
  return new Map(
    entries.map(({ name, dtype, shape, offset, length }) => {
      const data = decodeElements(dtype, bytes.subarray(offset, offset + length), `${file}, tensor "${name}"`);
      return [name, intTensor(shape, data)];
    }),
  );
}

/** SHA-256 of each tensor of a weight file, as stored. */
export function weightDigests(bytes: Uint8Array): ReadonlyMap<string, string> {
  const { entries } = parseSafetensorsHeader(bytes, bytes.length, "weights.safetensors");
  return new Map(entries.map(({ name, offset, length }) => [name, sha256(bytes.subarray(offset, offset + length))]));
}

const recompile = "run `marillc compile` again, and copy the party's whole folder";

/** Compares a weight file with a program's declarations: names, shapes, ranges; and weights that the role must not hold. */
export function checkPackedWeights(
  weights: WeightDecls,
  tensors: ReadonlyMap<string, IntTensor>,
  role: Role,
  file: string,
): readonly Diagnostic[] {
  const declared = declarationsByTensor(weights, role);
  const missing = [...declared].filter(([name]) => !tensors.has(name));
  const extra = [...tensors.keys()].filter((name) => !declared.has(name));
  return [
    ...missing.map(([name]) =>
      fileDiagnostic("MRL0621", file, `expected weight "${name}" of the program, found none`, recompile),
    ),
    ...extra.map((name) =>
      fileDiagnostic("MRL0622", file, `expected only weights of the ${role}'s program, found "${name}"`, recompile),
    ),
    ...[...declared].flatMap(([name, decls]) => {
      const tensor = tensors.get(name);
      return tensor ? decls.flatMap((decl) => checkPackedTensor(name, decl, tensor, file)) : [];
    }),
  ];
}

function checkPackedTensor(
  name: string,
  decl: WeightDecl,
  { shape, data }: IntTensor,
  file: string,
): readonly Diagnostic[] {
  const at = `${file}, tensor "${name}"`;
  if (!sameShape(shape, decl.shape)) {
    return [fileDiagnostic("MRL0623", at, `expected shape [${decl.shape}], found [${shape}]`, recompile)];
  }
  const limit = 2 ** (decl.width - 1);
  // Without the value: a private weight is not for messages.
  let count = 0;
  for (let at = 0; at < data!.length; at++) if (!(data![at]! >= -limit && data![at]! < limit)) count++;
  if (count === 0) return [];
  return [fileDiagnostic("MRL0624", at, `expected integers of ${decl.width} bits, found ${count} beyond`, recompile)];
}
