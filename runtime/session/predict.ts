import { type BytesByDirection, type Direction, directions, noBytes } from "../core/index.ts";
import { countingParty, explicitKeyParty, noDealerBytes } from "../correlations/index.ts";
import { type HeldWeight, type Program, type Toolbox, toolbox } from "../program/index.ts";
import { countSteps, replayed } from "../protocols/kit/index.ts";
import { intTensor, metaTensor } from "../ring/index.ts";
import type { QueryPosition } from "./requests.ts";
import { metaCache, positionRange, weightsAt } from "./session-cache.ts";
import { hiddenBytes, openedBytes, sessionWeights } from "./session-weights.ts";

/** Exact rounds and payload bytes of one phase. */
export interface PhaseCost {
  readonly rounds: number;
  readonly bytes: BytesByDirection;
}
export interface Prediction {
  /** Once per session: seeds, and the weights hidden from the dealer. */
  readonly setup: PhaseCost;
  /** Per query, before the input is known. */
  readonly offline: PhaseCost;
  /** Per query. */
  readonly online: PhaseCost;
  /** Dealer's bytes before the first round, between rounds, and after the last: one frame each, no frame where 0. */
  readonly segments: Readonly<Record<"client" | "server", readonly number[]>>;
  /** Whether the dealer takes part online. */
  readonly dealerComputes: boolean;
  /** Dealer's bytes by operator. */
  readonly dealerByOperator: ReadonlyMap<string, number>;
}

export const seedBytes = 32;
/**
 * Counts what a program will send, to the byte, by running it on meta tensors. A program that reads the cache costs
 * more at a later position; default: the last position.
 */
export function predict(program: Program, position: number = positionRange(program).most): Prediction {
  const account = noDealerBytes();
  const segments = { client: [] as number[], server: [] as number[] };
  const cut = (): void => {
    for (const to of ["client", "server"] as const) {
      segments[to].push(account[to] - segments[to].reduce((sum, bytes) => sum + bytes, 0));
    }
  };
  const { rounds, bytes, dealt } = countSteps(
    runOnMeta(program, countingParty("client", account), position),
    account,
    cut,
  );
  cut();
  return {
    setup: predictSetup([program]),
    offline: { rounds: 0, bytes: dealt },
    online: { rounds, bytes },
    dealerComputes: directions.some((link) => link.includes("dealer") && bytes[link] > 0),
    segments,
    dealerByOperator: account.byOperator,
  };
}

/** By program, then by position: sessions of one program count each position once between them. */
const predictions = new WeakMap<Program, Map<number, Prediction>>();

/** Predicts every query of a session, each position of a program once. */
export function createPredictor(programs: readonly Program[]): (asked: QueryPosition) => Prediction {
  return ({ program: index, position }) => {
    const program = programs[index]!;
    const known = predictions.get(program) ?? new Map<number, Prediction>();
    predictions.set(program, known);
    const prediction = known.get(position) ?? predict(program, position);
    known.set(position, prediction);
    return prediction;
  };
}

/** Setup costs of a session, whatever is queried: seeds, and each weight once for all programs that use it alike. */
export function predictSetup(programs: readonly Program[]): PhaseCost {
  const { weights } = sessionWeights(programs);
  return {
    rounds: 1,
    bytes: {
      ...noBytes,
      "client→server": seedBytes,
      "server→client": seedBytes + openedBytes(weights),
      "dealer→client": seedBytes,
      "dealer→server": seedBytes,
      "server→dealer": hiddenBytes(weights),
    },
  };
}

/** Bytes of one party's keys for one query if nothing came from seeds: see `explicitKeyParty`. */
export function explicitKeyBytes(program: Program): number {
  const account = noDealerBytes();
  countSteps(runOnMeta(program, explicitKeyParty("client", account), positionRange(program).most), account);
  return account.client;
}

/** The same protocols; of equal layers and queries the first one counts. */
const countingTools: Toolbox = {
  ...toolbox,
  protocols: Object.fromEntries(
    Object.entries(toolbox.protocols).map(([name, protocol]) => [name, replayed(protocol)]),
  ) as unknown as Toolbox["protocols"],
};

function runOnMeta(
  program: Program,
  party: Parameters<Program["body"]>[1],
  position: number,
): ReturnType<Program["body"]> {
  const weights = Object.entries(program.weights).map(([name, { form, shape, width }]): [string, HeldWeight] => {
    const values = intTensor(shape, undefined);
    const empty = metaTensor(shape, width);
    if (form === "fixed") {
      return [name, { kind: "masked", opened: empty, mask: { share: empty, secret: empty, fresh: false } }];
    }
    if (form !== "known") return [name, values];
    return [name, { kind: "weight", shape, width, values, pad: empty, hidden: empty }];
  });
  const handles = weightsAt(program, Object.fromEntries(weights), position);
  return program.body(countingTools, party, metaInputs(program), handles, metaCache(program, position));
}

/** Inputs as a party sees them that does not hold them. */
export const metaInputs = (program: Program) =>
  Object.fromEntries(Object.entries(program.inputs).map(([name, { shape }]) => [name, intTensor(shape, undefined)]));

export const addBytes = (...all: readonly BytesByDirection[]): BytesByDirection =>
  Object.fromEntries(
    Object.keys(noBytes).map((link) => [link, all.reduce((sum, bytes) => sum + bytes[link as Direction], 0)]),
  ) as unknown as BytesByDirection;
