import { type Diagnostic, fail } from "../../ir/diagnostic.ts";
import { sameShape } from "../../ir/type.ts";
import { createPrg, freshSeed } from "../../runtime/core/index.ts";
import { rescale } from "../../runtime/protocols/kit/index.ts";
import { add, fromIntegers, type IntTensor, intTensor, narrow, sub, toIntegers } from "../../runtime/ring/index.ts";
import type { Manifest, PartyBuild } from "../build/index.ts";
import type { ResidueFile, ShareHolder } from "../inputs/index.ts";
import type { TypedTensor } from "../tensors/index.ts";
import { type ClampedValues, dequantizeOutput, quantizeShared, shortNumber } from "./quantize-inputs.ts";

/** A value that passes between programs in shares, as a manifest declares it. */
export type DeclaredShare = NonNullable<Manifest["sharedInputs"]>[number];

/** The residues of an input, one of each party: integers in the ring that the program takes. */
export type Halves = Readonly<Record<ShareHolder, IntTensor>>;

/** A party's residues of the inputs that arrive as shares, by input of the program. */
export type Residues = ReadonlyMap<string, IntTensor>;

/** The part of each party. */
export const residuesOf = (halves: ReadonlyMap<string, Halves>, party: ShareHolder): Residues =>
  new Map([...halves].map(([value, each]) => [value, each[party]]));

/**
 * A residue in the ring and at the scale that the program takes, computed by its owner alone: more fractional bits are
 * exact, and fewer are off by at most one unit, as any local truncation.
 * @throws DiagnosticError MRL0841 for the half of another party, MRL0842 for a value that the program does not accept
 */
export function fitResidue(file: ResidueFile, declared: DeclaredShare, party: ShareHolder, at: string): IntTensor {
  if (file.party !== party) fail(otherParty(file, party, at));
  const problem = misfit(file, declared);
  if (problem !== undefined) fail({ ...problem, at });
  const { width, scale } = file.value;
  const ring = fromIntegers(intTensor(declared.shape, file.residue), width);
  return toIntegers(narrow(rescale(ring, scale - declared.scale), declared.width));
}

const otherParty = ({ party: found }: ResidueFile, party: ShareHolder, at: string): Diagnostic => ({
  code: "MRL0841",
  message: `expected the ${party}'s half of the value, found the ${found}'s`,
  at,
  help: `give the file of the same name that ends in .${party}.safetensors`,
});

/** Why a program does not accept a value: nothing in the file but its public header is looked at. */
function misfit({ value }: ResidueFile, declared: DeclaredShare): Omit<Diagnostic, "at"> | undefined {
  const [lo, hi] = declared.range;
  const shown = (least: number, most: number): string => `[${shortNumber(least)}, ${shortNumber(most)}]`;
  const name = `"${declared.tensor}"`;
  const recompile = `compile this program for that one: --input ${declared.tensor}:shared=<build of ${value.program}>`;
  if (!sameShape(value.shape, declared.shape)) {
    const message = `input ${name}: expected a value of shape [${declared.shape.join(", ")}], found [${value.shape.join(", ")}]`;
    return { code: "MRL0842", message, help: "give a value of this shape, or compile for the other shape with --dim" };
  }
  if (value.lo < lo || value.hi > hi) {
    const message = `input ${name}: expected a value in the public bounds ${shown(lo, hi)}, found one that ${value.program} bounds by ${shown(value.lo, value.hi)}`;
    return { code: "MRL0842", message, help: recompile };
  }
  const left = value.width - Math.max(0, value.scale - declared.scale);
  if (left < declared.width) {
    const message = `input ${name}: expected shares that leave ${declared.width} bits at ${declared.scale} fractional bits, found ${left}`;
    return {
      code: "MRL0842",
      message,
      help: "compile this program with fewer fractional bits: --quality or --precision",
    };
  }
  return undefined;
}

/** A share as it was read, and from where. */
export interface ReadShare {
  readonly path: string;
  readonly file: ResidueFile;
}

/** The two halves of one value, in any order. @throws DiagnosticError MRL0841 for anything else */
export function bothHalves(read: readonly ReadShare[], tensor: string): Readonly<Record<ShareHolder, ReadShare>> {
  const refuse = (message: string, help: string): never =>
    fail({
      code: "MRL0841",
      message: `input "${tensor}": expected ${message}`,
      at: read.map(({ path }) => path).join(", "),
      help,
    });
  const [client, server] = (["client", "server"] as const).map((party) =>
    read.find(({ file }) => file.party === party),
  );
  if (!client || !server || read.length !== 2) {
    const found = read.map(({ file }) => `the ${file.party}'s`).join(" and ");
    return refuse(
      `the client's half and the server's, found ${found}`,
      `give both: --input ${tensor}=<client's file>+<server's file>`,
    );
  }
  if (client.file.id === server.file.id) return { client, server };
  const of = ({ file: { value } }: ReadShare): string =>
    `${value.tensor} of session ${value.session.slice(0, 8)}, query ${value.query}`;
  return refuse(
    `two halves of one value, found ${of(client)}, and ${of(server)}`,
    "the halves of one value have the same file name but for the party",
  );
}

/** The value itself, where both halves lie on one machine. */
export function combine({ value, residue }: ResidueFile, other: ResidueFile): TypedTensor {
  const ring = (data: Float64Array) => fromIntegers(intTensor(value.shape, data), value.width);
  const sum = toIntegers(add(ring(residue), ring(other.residue)));
  return { dtype: "float64", tensor: dequantizeOutput(sum, value.scale) };
}

/** The values of outputs that stay shared, where the residues of both parties lie on one machine. */
export const keptOutputs = (
  { sharedOutputs = [] }: Manifest,
  residues: Readonly<Record<ShareHolder, Residues>>,
): ReadonlyMap<string, TypedTensor> =>
  new Map(
    sharedOutputs.map(({ value, tensor, width, scale }) => {
      const [a, b] = [residues.client.get(value)!, residues.server.get(value)!];
      const sum = toIntegers(add(fromIntegers(a, width), fromIntegers(b, width)));
      return [tensor, { dtype: "float32", tensor: dequantizeOutput(sum, scale) }] as const;
    }),
  );

/** The halves of inputs that arrive as shares: the given ones, or fresh ones of values that one machine knows. */
export function splitShared(
  { manifest, program }: Pick<PartyBuild, "manifest" | "program">,
  inputs: ReadonlyMap<string, TypedTensor>,
  given: ReadonlyMap<string, Halves> = new Map(),
  clamp = false,
): { readonly halves: ReadonlyMap<string, Halves>; readonly clamped: ClampedValues } {
  const open = (manifest.sharedInputs ?? []).filter(({ value }) => !given.has(value));
  const { shared, clamped } = quantizeShared({ manifest: { sharedInputs: open }, program }, inputs, clamp);
  const fresh = open.map((each) => [each.value, splitInHalves(shared[each.value]!, each)] as const);
  return { halves: new Map([...given, ...fresh]), clamped };
}

/** Fresh halves of integers, in the ring that the program takes. */
function splitInHalves(integers: IntTensor, { width }: DeclaredShare): Halves {
  const client = createPrg(freshSeed(), "halves of an input").ring(integers.shape, width);
  return { client: toIntegers(client), server: toIntegers(sub(fromIntegers(integers, width), client)) };
}
