import type { Party, SharedValue, Steps, Transfer } from "../../core/index.ts";
import { countingParty, noDealerBytes } from "../../correlations/index.ts";
import { type IntTensor, isMeta, metaTensor, type RingTensor } from "../../ring/index.ts";
import type { Operand, Protocol, Spec } from "./define-protocol.ts";

/** What a body asks of its party between two rounds, and the round. */
interface Segment {
  readonly draws: readonly Draw[];
  /** Absent after the last round. */
  readonly round?: readonly Transfer[];
}
type Draw = (party: Party) => unknown;

interface Recording {
  readonly segments: readonly Segment[];
  readonly result: SharedValue;
}

/** By protocol, spec and operands; cleared beyond `maxRecorded`. */
const recorded = new Map<string, Recording>();
const maxRecorded = 2_000;

/**
 * A protocol that counts by replay. A body on meta tensors depends on its spec and the shapes of its operands alone, so
 * what it draws, sends and returns is the same for every layer and query: the body runs once. For parties that count;
 * operands with contents run it as it is.
 */
export const replayed = (protocol: Protocol): Protocol => ({
  ...protocol,
  *run(party, spec, ...operands) {
    const forms = operands.map(formOf);
    if (forms.includes(undefined)) return yield* protocol.run(party, spec, ...operands);
    const key = `${protocol.name} ${JSON.stringify([spec, forms])}`;
    const known = recorded.get(key) ?? record(protocol, party, spec, operands);
    if (!recorded.has(key)) {
      if (recorded.size >= maxRecorded) recorded.clear();
      recorded.set(key, known);
    }
    for (const { draws, round } of known.segments) {
      for (const draw of draws) draw(party);
      if (round) yield round;
    }
    return known.result;
  },
});

/** Runs a body to its end on a party whose draws are noted and counted nowhere. */
function record(protocol: Protocol, { role }: Party, spec: Spec, operands: readonly Operand[]): Recording {
  let draws: Draw[] = [];
  const segments: Segment[] = [];
  const party = noting(countingParty(role, noDealerBytes()), (draw) => void draws.push(draw));
  const steps: Steps<SharedValue> = protocol.run(party, spec, ...operands);
  let state = steps.next();
  while (!state.done) {
    segments.push({ draws, round: state.value });
    draws = [];
    state = steps.next(state.value.map(({ tensor }) => metaTensor(tensor.shape, tensor.width)));
  }
  segments.push({ draws });
  return { segments, result: state.value };
}

/** A party that notes each draw. What belongs to a part of an operator is on the operator's account. */
function noting(counting: Party, note: (draw: Draw) => void): Party {
  const noted = <T>(draw: (party: Party) => T): T => {
    note(draw);
    return draw(counting);
  };
  const party: Party = {
    role: counting.role,
    at: () => party,
    mask: (shape, width) => noted((to) => to.mask(shape, width)),
    clientMask: (shape, width) => noted((to) => to.clientMask(shape, width)),
    serverMask: (shape, width) => noted((to) => to.serverMask(shape, width)),
    clientRandom: (shape, width) => noted((to) => to.clientRandom(shape, width)),
    sharedRandom: (shape, width) => noted((to) => to.sharedRandom(shape, width)),
    sharedRandomWithDealer: (other, shape, width) => noted((to) => to.sharedRandomWithDealer(other, shape, width)),
    dealt: (secret) => noted((to) => to.dealt(secret)),
    dealtXor: (secret) => noted((to) => to.dealtXor(secret)),
    broadcast: (secret) => noted((to) => to.broadcast(secret)),
    extendMask: (mask, width) => noted((to) => to.extendMask(mask, width)),
    offline: (compute) => compute(),
  };
  return party;
}

/** The tensors of an operand. */
function partsOf(operand: Operand): readonly (RingTensor | IntTensor | undefined)[] {
  if (operand.kind === "share") return [operand.tensor];
  if (operand.kind === "masked") return [operand.opened, operand.mask.share, operand.mask.secret];
  if (operand.kind === "replicated") return operand.components;
  return operand.kind === "weight" ? [operand.values, operand.pad, operand.hidden] : [operand];
}

/** Shapes and rings of an operand without contents; undefined if it has some. */
function formOf(operand: Operand): unknown {
  const parts = partsOf(operand);
  if (!parts.every((part) => part === undefined || isMeta(part))) return undefined;
  const fresh = operand.kind === "masked" && operand.mask.fresh;
  return [operand.kind, fresh, ...parts.map((part) => part && [part.shape, part.kind === "ring" ? part.width : 0])];
}
