import { type Link, type LinkBytes, links, noBytes } from "../core/index.ts";
import { countingParty, explicitParty, noDealerBytes } from "../correlations/index.ts";
import type { Program, WeightHandle } from "../program/index.ts";
import { toolbox } from "../program/index.ts";
import { countSteps } from "../protocols/kit/index.ts";
import { ghost, integers } from "../ring/index.ts";
import type { Asked } from "./control.ts";
import { atPlace, ghostKept, placesOf } from "./memory.ts";
import { hiddenBytes, openedBytes, sessionWeights } from "./weights.ts";

/** Exact rounds and payload bytes of one phase. */
export interface PhaseCost {
  readonly rounds: number;
  readonly bytes: LinkBytes;
}
export interface Prediction {
  /** Once per session: seeds, and the weights hidden from the dealer. */
  readonly setup: PhaseCost;
  /** Per query, before the input is known. */
  readonly offline: PhaseCost;
  /** Per query. */
  readonly online: PhaseCost;
  /** Dealer's bytes before the first round, between each two, and after the last: one frame each, none where 0. */
  readonly segments: Readonly<Record<"client" | "server", readonly number[]>>;
  /** Whether the dealer takes part online. */
  readonly dealerComputes: boolean;
  /** Dealer's bytes by operator. */
  readonly dealerByOperator: ReadonlyMap<string, number>;
}

export const seedBytes = 32;
/**
 * The program read with ghosts: what it will send, to the byte, before it runs. One that goes on from what is kept costs
 * more at a later place; absent: the last.
 */
export function predict(program: Program, place: number = placesOf(program).most): Prediction {
  const account = noDealerBytes();
  const segments = { client: [] as number[], server: [] as number[] };
  const cut = (): void => {
    for (const to of ["client", "server"] as const) {
      segments[to].push(account[to] - segments[to].reduce((sum, bytes) => sum + bytes, 0));
    }
  };
  const { rounds, bytes, dealt } = countSteps(
    ghostBody(program, countingParty("client", account), place),
    account,
    cut,
  );
  cut();
  return {
    setup: predictSetup([program]),
    offline: { rounds: 0, bytes: dealt },
    online: { rounds, bytes },
    dealerComputes: links.some((link) => link.includes("dealer") && bytes[link] > 0),
    segments,
    dealerByOperator: account.byLabel,
  };
}

/** What each question of a session will send, worked out once for each. */
export function predictions(programs: readonly Program[]): (asked: Asked) => Prediction {
  const known = new Map<string, Prediction>();
  return ({ program, place }) => {
    const key = `${program} ${place}`;
    const prediction = known.get(key) ?? predict(programs[program]!, place);
    known.set(key, prediction);
    return prediction;
  };
}

/** Once per session, whatever is asked in it: seeds, and each weight once for all programs that take it alike. */
export function predictSetup(programs: readonly Program[]): PhaseCost {
  const { weights } = sessionWeights(programs);
  return {
    rounds: 1,
    bytes: {
      ...noBytes,
      "client→server": seedBytes,
      "server→client": openedBytes(weights),
      "dealer→client": seedBytes,
      "dealer→server": seedBytes,
      "server→dealer": hiddenBytes(weights),
    },
  };
}

/** Bytes of one party's keys for one query, if nothing came from seeds: see `explicitParty`. */
export function explicitKeyBytes(program: Program): number {
  const account = noDealerBytes();
  countSteps(ghostBody(program, explicitParty("client", account), placesOf(program).most), account);
  return account.client;
}

function ghostBody(
  program: Program,
  party: Parameters<Program["body"]>[1],
  place: number,
): ReturnType<Program["body"]> {
  const weights = Object.entries(program.weights).map(([name, { form, shape, width }]): [string, WeightHandle] => {
    const values = integers(shape, undefined);
    const empty = ghost(shape, width);
    if (form === "fixed") {
      return [name, { kind: "wire", opened: empty, mask: { share: empty, secret: empty, fresh: false } }];
    }
    if (form !== "known") return [name, values];
    return [name, { kind: "weight", shape, width, values, pad: empty, hidden: empty }];
  });
  const handles = atPlace(program, Object.fromEntries(weights), place);
  return program.body(toolbox, party, ghostInputs(program), handles, ghostKept(program, place));
}

/** Inputs of a party that does not hold them. */
export const ghostInputs = (program: Program) =>
  Object.fromEntries(Object.entries(program.inputs).map(([name, { shape }]) => [name, integers(shape, undefined)]));

export const addBytes = (...all: readonly LinkBytes[]): LinkBytes =>
  Object.fromEntries(
    Object.keys(noBytes).map((link) => [link, all.reduce((sum, bytes) => sum + bytes[link as Link], 0)]),
  ) as unknown as LinkBytes;
