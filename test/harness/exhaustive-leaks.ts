import { describe, expect, it } from "vitest";
import type { Party, ReplicatedShare } from "../../runtime/core/party.ts";
import type { Steps } from "../../runtime/core/steps.ts";
import { metaTensor, type RingTensor } from "../../runtime/ring/tensor.ts";
import type { Corrupted } from "./compare-views.ts";
import { CHUNK, constantRing, sameViews } from "./enumerate-views.ts";
import { type BreakName, breaks } from "./leak-breaks.ts";
import type { Reading } from "./run-parties.ts";

/**
 * Cases of the exhaustive leak tests: a body on shared inputs of a few bits, and the breaks that the test must catch.
 */

export interface ExhaustiveCase<T> {
  readonly name: string;
  /** Widths of the shared inputs. */
  readonly inputs: readonly number[];
  readonly run: (party: Party, input: (index: number, width: number) => T) => Steps<unknown>;
  /** How many of the inputs that the corrupted party does not know are tried; 16 by default. */
  readonly tried?: number;
  /** Positions in the view that are left out: corrections of a point function's key. */
  readonly key?: readonly number[];
  readonly breaks: readonly BreakName[];
}

/** What a party holds of an input: the corrupted party's part is fixed, `value` is the part that it does not have. */
type HeldPart<T> = (party: Party, corrupted: Corrupted, index: number, value: RingTensor) => T;

/** Additive shares of client and server. */
const additive: HeldPart<RingTensor> = (party, corrupted, index, value) =>
  party.role === corrupted ? residue(value, 1 + 2 * index) : value;
const residue = ({ shape, width, data }: RingTensor, value: number): RingTensor =>
  data ? constantRing(value, width) : metaTensor(shape, width);

const partyIndex = { client: 0, server: 1, dealer: 2 } as const;
/** Two of three components: the one that the corrupted party does not have is the last of its circle. */
const replicated: HeldPart<ReplicatedShare> = (party, corrupted, index, value) => {
  const components = [residue(value, 1 + index), residue(value, 3 + 2 * index), value];
  const at = (partyIndex[party.role] - partyIndex[corrupted] + 3) % 3;
  return { kind: "replicated", components: [components[at]!, components[(at + 1) % 3]!] };
};

/** Every combination of the inputs that the corrupted party does not know, up to the number to try. */
function combinations({ inputs, tried = 16 }: Pick<ExhaustiveCase<unknown>, "inputs" | "tried">): number[][] {
  const all = inputs.reduce<number[][]>(
    (rows, width) => rows.flatMap((row) => [...Array(2 ** width).keys()].map((value) => [...row, value])),
    [[]],
  );
  if (all.length <= tried) return all;
  // Spread from the first to the last, which differ in every bit.
  return [...Array(tried).keys()].map((k) => all[Math.round((k * (all.length - 1)) / (tried - 1))]!);
}

function describeExhaustive<T>(test: ExhaustiveCase<T>, roles: readonly Corrupted[], holding: HeldPart<T>): void {
  const same = (corrupted: Corrupted, name?: BreakName): boolean =>
    sameViews(
      combinations(test).map(
        (others) => (party: Party, stage: Reading) =>
          test.run(party, (index, width) => {
            const value = stage === "online" ? constantRing(others[index]!, width) : metaTensor([CHUNK], width);
            return holding(party, corrupted, index, value);
          }),
      ),
      corrupted,
      name && breaks[name],
      test.key,
    );
  describe(test.name, () => {
    it.each(roles)("gives a corrupted %s equally distributed views", (corrupted) => {
      expect(same(corrupted)).toBe(true);
    });
    it.each(test.breaks)("detects the break: %s", (name) => {
      expect(roles.some((corrupted) => !same(corrupted, name))).toBe(true);
    });
  });
}

/** Tests on additive shares of client and server; each is corrupted in turn. */
export const describeTwoParties = (tests: readonly ExhaustiveCase<RingTensor>[]): void => {
  for (const test of tests) describeExhaustive(test, ["server", "client"], additive);
};
/** Tests on replicated shares of three parties; each is corrupted in turn. */
export const describeThreeParties = (tests: readonly ExhaustiveCase<ReplicatedShare>[]): void => {
  for (const test of tests) describeExhaustive(test, ["client", "server", "dealer"], replicated);
};
