import { type BytesByDirection, noBytes, type Steps, type Transfer } from "../../core/index.ts";
import { countingParty, type DealerBytes, noDealerBytes } from "../../correlations/index.ts";
import { intTensor, metaTensor, packedBytes } from "../../ring/index.ts";
import type { Fixed, Operand, OperandForm, Protocol, Spec } from "./define-protocol.ts";
import { replayed } from "./replayed-count.ts";

/** Exact traffic of one query. */
export interface Traffic {
  readonly rounds: number;
  /** Payload bytes online. */
  readonly bytes: BytesByDirection;
  /** Payload bytes before the input is known, which the dealer sends. */
  readonly dealt: BytesByDirection;
}
export const noTraffic: Traffic = { rounds: 0, bytes: noBytes, dealt: noBytes };

/** A meta operand of the given form. */
export function metaOperand(form: OperandForm, { shape, width }: Fixed, resultWidth: number): Operand {
  const masked = (ring: number): Operand => {
    const empty = metaTensor(shape, ring);
    return { kind: "masked", opened: empty, mask: { share: empty, secret: empty, fresh: true } };
  };
  const forms: Readonly<Record<OperandForm, () => Operand>> = {
    share: () => ({ kind: "share", tensor: metaTensor(shape, width) }),
    masked: () => masked(width),
    replicated: () => ({ kind: "replicated", components: [metaTensor(shape, width), metaTensor(shape, width)] }),
    weight: () => {
      const wide = metaTensor(shape, resultWidth);
      return {
        kind: "weight",
        shape,
        width: resultWidth,
        values: intTensor(shape, undefined),
        pad: wide,
        hidden: wide,
      };
    },
    fixed: () => masked(resultWidth),
    public: () => intTensor(shape, undefined),
    server: () => intTensor(shape, undefined),
    residue: () => intTensor(shape, undefined),
  };
  return forms[form]();
}

/** Runs steps to the end without receiving anything, and reports each round. */
export function drain<T>(steps: Steps<T>, onRound: (round: readonly Transfer[]) => void): T {
  let state = steps.next();
  while (!state.done) {
    onRound(state.value);
    state = steps.next(state.value.map(({ tensor }) => metaTensor(tensor.shape, tensor.width)));
  }
  return state.value;
}

/**
 * Counts a protocol by running its own body on meta tensors: a cost cannot drift from the code. `given` are the operands
 * that it gets, where they have fewer rows than the spec declares.
 */
export function countProtocol(
  protocol: Protocol,
  spec: Spec,
  forms: readonly OperandForm[],
  given: readonly Fixed[] = spec.operands,
): Traffic {
  const account = noDealerBytes();
  const operands = given.map((operand, index) => metaOperand(forms[index]!, operand, spec.result.width));
  return countSteps(replayed(protocol).run(countingParty("client", account), spec, ...operands), account);
}

export function countSteps(steps: Steps<unknown>, account: DealerBytes, onRound: () => void = () => {}): Traffic {
  let rounds = 0;
  const bytes = { ...noBytes } as { -readonly [K in keyof BytesByDirection]: number };
  drain(steps, (round) => {
    rounds += 1;
    onRound();
    for (const { from, to, tensor } of round)
      bytes[`${from}→${to}` as keyof BytesByDirection] += packedBytes(tensor.shape, tensor.width);
  });
  return { rounds, bytes, dealt: { ...noBytes, "dealer→server": account.server, "dealer→client": account.client } };
}
