import { countingParty, type DealerBytes } from "../correlations/count.ts";
import type { Program, WeightHandle } from "../program.ts";
import { countSteps } from "../protocols/count.ts";
import { ghost, integers } from "../ring/tensor.ts";
import type { Link } from "../steps.ts";
import { toolbox } from "../toolbox.ts";
import { hiddenBytes } from "./weights.ts";

export type LinkBytes = Readonly<Record<Link, number>>;
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
  readonly segments: readonly number[];
  /** Dealer's bytes by operator. */
  readonly dealerByOperator: ReadonlyMap<string, number>;
}

export const seedBytes = 32;
export const noBytes: LinkBytes = {
  "client→server": 0,
  "server→client": 0,
  "server→dealer": 0,
  "dealer→server": 0,
  "dealer→client": 0,
};

/** The program read with ghosts: what it will send, to the byte, before it runs. */
export function predict(program: Program): Prediction {
  const account: DealerBytes = { byLabel: new Map(), total: 0 };
  const segments: number[] = [];
  const cut = (): void => void segments.push(account.total - segments.reduce((sum, bytes) => sum + bytes, 0));
  const traffic = countSteps(ghostBody(program, countingParty("client", account)), account, cut);
  cut();
  return {
    setup: {
      rounds: 1,
      bytes: {
        ...noBytes,
        "client→server": seedBytes,
        "dealer→client": seedBytes,
        "dealer→server": seedBytes,
        "server→dealer": hiddenBytes(program),
      },
    },
    offline: { rounds: 0, bytes: { ...noBytes, "dealer→server": traffic.bytes["dealer→server"] } },
    online: {
      rounds: traffic.rounds,
      bytes: {
        ...noBytes,
        "client→server": traffic.bytes["client→server"],
        "server→client": traffic.bytes["server→client"],
      },
    },
    segments,
    dealerByOperator: account.byLabel,
  };
}

function ghostBody(program: Program, party: Parameters<Program["body"]>[1]): ReturnType<Program["body"]> {
  const weights = Object.entries(program.weights).map(([name, { form, shape, width }]): [string, WeightHandle] => {
    const values = integers(shape, undefined);
    if (form !== "known") return [name, values];
    const empty = ghost(shape, width);
    return [name, { kind: "weight", shape, width, values, pad: empty, hidden: empty }];
  });
  return program.body(toolbox, party, ghostInputs(program), Object.fromEntries(weights));
}

/** Inputs of a party that does not hold them. */
export const ghostInputs = (program: Program) =>
  Object.fromEntries(Object.entries(program.inputs).map(([name, { shape }]) => [name, integers(shape, undefined)]));

export const addBytes = (...all: readonly LinkBytes[]): LinkBytes =>
  Object.fromEntries(
    Object.keys(noBytes).map((link) => [link, all.reduce((sum, bytes) => sum + bytes[link as Link], 0)]),
  ) as unknown as LinkBytes;
