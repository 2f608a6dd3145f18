import type { Role } from "../core/index.ts";
import { createStreams } from "../correlations/index.ts";
import type { HeldWeight, Program, WeightDecl } from "../program/index.ts";
import {
  add,
  fromIntegers,
  type IntTensor,
  intTensor,
  metaTensor,
  pack,
  packedBytes,
  type RingTensor,
  type Shape,
  sub,
  toIntegers,
  unpack,
  zeros,
} from "../ring/index.ts";

type ProgramWeights = Program["weights"];

/** The weights of a form, in the order of the program. */
const weightsOf = (weights: ProgramWeights, form: WeightDecl["form"]): readonly WeightDecl[] =>
  Object.values(weights).filter((decl) => decl.form === form);
const bytesOf = (all: readonly WeightDecl[]): number =>
  all.reduce((sum, { shape, width }) => sum + packedBytes(shape, width), 0);

/**
 * Bytes that the server sends the dealer in setup: known weights without their pads, and public weights that it
 * computes with.
 */
export const hiddenBytes = (weights: ProgramWeights): number =>
  bytesOf([...weightsOf(weights, "known"), ...weightsOf(weights, "disclosed")]);
/** Bytes that the server sends the client in setup: fixed weights under their masks. */
export const openedBytes = (weights: ProgramWeights): number => bytesOf(weightsOf(weights, "fixed"));

/**
 * The weights of a session of several programs. Weights that programs use alike, in one ring, are hidden or opened
 * once. A weight of a later program that matches no earlier one has the program's index in front of its name.
 */
export function sessionWeights(programs: readonly Program[]): {
  readonly weights: ProgramWeights;
  /** The handles of one program, by the program's names. */
  readonly of: <T>(program: number, handles: Readonly<Record<string, T>>) => Readonly<Record<string, T>>;
} {
  const weights: Record<string, WeightDecl> = {};
  const same = ({ form, tensor, shape, width, scale }: WeightDecl): string =>
    JSON.stringify([form, tensor, shape, width, scale]);
  const names = programs.map((program, index) => {
    const earlier = new Map(Object.entries(weights).map(([key, decl]) => [same(decl), key]));
    return Object.entries(program.weights).map(([name, decl]): [string, string] => {
      const key = earlier.get(same(decl)) ?? (index === 0 ? name : `${index}:${name}`);
      weights[key] ??= decl;
      return [name, key];
    });
  });
  return {
    weights,
    of: (program, handles) => Object.fromEntries(names[program]!.map(([name, key]) => [name, handles[key]!])),
  };
}

/** Integers of a tensor at the parties that know it, a meta tensor elsewhere. */
function integersOf(role: Role, decl: WeightDecl, tensors: ReadonlyMap<string, IntTensor>): IntTensor {
  const isPublic = decl.form === "public" || decl.form === "disclosed";
  const knows = isPublic ? role !== "dealer" : role === "server";
  if (!knows) return intTensor(decl.shape, undefined);
  const tensor = tensors.get(decl.tensor);
  if (!tensor) throw new Error(`the weights of the ${role} do not contain ${decl.tensor}; compile the build again`);
  return tensor;
}

/** A party's sources of weights at session setup. */
export interface WeightSources {
  /** Integers of the weights that this party knows. */
  readonly tensors?: ReadonlyMap<string, IntTensor>;
  /** Client and server: their common seed. */
  readonly sharedSeed?: Uint8Array;
  /** Server and dealer: their common seed. */
  readonly serverSeed?: Uint8Array;
  /** What the server sent: to the dealer the hidden weights, to the client the opened ones. */
  readonly received?: Uint8Array;
}

/**
 * Creates the weight handles of one party for one session, and the bytes that the server sends for them.
 *
 * known: the server sends the dealer the weight minus a pad that it shares with the client: uniform, since the dealer
 * does not know the pad's seed (LIN-PK setup, protocols.md 1.1).
 *
 * fixed: the server sends the client the weight plus a mask that it shares with the dealer: uniform, since the client
 * does not know the mask's seed (LIN-FIX setup; one way, because the server knows the weight).
 *
 * disclosed: public, so it goes to the dealer unmasked. All this happens once per session; every query uses fresh masks.
 */
export function setUpWeights(
  role: Role,
  weights: ProgramWeights,
  { tensors = new Map(), sharedSeed, serverSeed, received = new Uint8Array(0) }: WeightSources,
): {
  readonly handles: Readonly<Record<string, HeldWeight>>;
  readonly toDealer: Uint8Array;
  readonly toClient: Uint8Array;
} {
  const pads = sharedSeed && createStreams(sharedSeed, "weights");
  const masks = serverSeed && createStreams(serverSeed, "weights");
  const isServer = role === "server";
  const toDealer = collector(isServer ? hiddenBytes(weights) : 0);
  const toClient = collector(isServer ? openedBytes(weights) : 0);
  let offset = 0;
  const take = (shape: Shape, width: number): RingTensor => {
    const bytes = packedBytes(shape, width);
    offset += bytes;
    return unpack(received.subarray(offset - bytes, offset), shape, width);
  };
  const known = (name: string, { shape, width }: WeightDecl, values: IntTensor): HeldWeight => {
    const pad = pads ? pads(name, "pad").ring(shape, width) : metaTensor(shape, width);
    if (isServer) toDealer.append(pack(sub(fromIntegers(values, width), pad)));
    const hidden = role === "dealer" ? take(shape, width) : metaTensor(shape, width);
    return { kind: "weight", shape, width, values, pad, hidden };
  };
  const fixed = (name: string, { shape, width }: WeightDecl, values: IntTensor): HeldWeight => {
    const unknown = metaTensor(shape, width);
    const secret = masks && role !== "client" ? masks(name, "mask").ring(shape, width) : unknown;
    // W + B is uniform: B is fresh and the client does not know it. Safe to send.
    const own = role === "server" ? add(fromIntegers(values, width), secret) : unknown;
    if (isServer) toClient.append(pack(own));
    const opened = role === "client" ? take(shape, width) : own;
    const share = { client: zeros(shape, width), server: secret, dealer: unknown }[role];
    return { kind: "masked", opened, mask: { share, secret: role === "dealer" ? secret : unknown, fresh: false } };
  };
  const disclosed = ({ shape, width }: WeightDecl, values: IntTensor): HeldWeight => {
    if (isServer) toDealer.append(pack(fromIntegers(values, width)));
    return role === "dealer" ? toIntegers(take(shape, width)) : values;
  };
  const handles = Object.entries(weights).map(([name, decl]): [string, HeldWeight] => {
    const values = integersOf(role, decl, tensors);
    if (decl.form === "known") return [name, known(name, decl, values)];
    if (decl.form === "disclosed") return [name, disclosed(decl, values)];
    return [name, decl.form === "fixed" ? fixed(name, decl, values) : values];
  });
  return {
    handles: Object.fromEntries(handles),
    toDealer: toDealer.bytes,
    toClient: toClient.bytes,
  };
}

/** Bytes of a known length that are written part by part: large weights are not held twice. */
function collector(length: number): { readonly bytes: Uint8Array; append(part: Uint8Array): void } {
  const bytes = new Uint8Array(length);
  let offset = 0;
  return {
    bytes,
    append: (part) => {
      bytes.set(part, offset);
      offset += part.length;
    },
  };
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
