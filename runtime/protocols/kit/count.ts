import { type LinkBytes, noBytes, type Steps, type Transfer } from "../../core/index.ts";
import { countingParty, type DealerBytes, noDealerBytes } from "../../correlations/index.ts";
import { ghost, integers, packedBytes } from "../../ring/index.ts";
import type { Fixed, Operand, OperandForm, Protocol, Spec } from "./define.ts";

/** Exact traffic of one query. */
export interface Traffic {
  readonly rounds: number;
  /** Payload bytes online. */
  readonly bytes: LinkBytes;
  /** Payload bytes before the input is known: what the dealer hands out. */
  readonly dealt: LinkBytes;
}
export const noTraffic: Traffic = { rounds: 0, bytes: noBytes, dealt: noBytes };

/** An operand of a form with nothing in it. */
export function ghostOperand(form: OperandForm, { shape, width }: Fixed, resultWidth: number): Operand {
  const wire = (ring: number): Operand => {
    const empty = ghost(shape, ring);
    return { kind: "wire", opened: empty, mask: { share: empty, secret: empty, fresh: true } };
  };
  const forms: Readonly<Record<OperandForm, () => Operand>> = {
    share: () => ({ kind: "share", tensor: ghost(shape, width) }),
    wire: () => wire(width),
    replicated: () => ({ kind: "replicated", parts: [ghost(shape, width), ghost(shape, width)] }),
    weight: () => {
      const wide = ghost(shape, resultWidth);
      return { kind: "weight", shape, width: resultWidth, values: integers(shape, undefined), pad: wide, hidden: wide };
    },
    fixed: () => wire(resultWidth),
    public: () => integers(shape, undefined),
  };
  return forms[form]();
}

/** Runs steps to the end with nothing arriving, and shows each round. */
export function drain<T>(steps: Steps<T>, onRound: (round: readonly Transfer[]) => void): T {
  let state = steps.next();
  while (!state.done) {
    onRound(state.value);
    state = steps.next(state.value.map(({ tensor }) => ghost(tensor.shape, tensor.width)));
  }
  return state.value;
}

/** The protocol's own body, read with ghosts: a cost cannot drift from the code. */
export function countProtocol(protocol: Protocol, spec: Spec, forms: readonly OperandForm[]): Traffic {
  const account = noDealerBytes();
  const operands = spec.operands.map((operand, place) => ghostOperand(forms[place]!, operand, spec.result.width));
  return countSteps(protocol.run(countingParty("client", account), spec, ...operands), account);
}

export function countSteps(steps: Steps<unknown>, account: DealerBytes, onRound: () => void = () => {}): Traffic {
  let rounds = 0;
  const bytes = { ...noBytes } as { -readonly [K in keyof LinkBytes]: number };
  drain(steps, (round) => {
    rounds += 1;
    onRound();
    for (const { from, to, tensor } of round)
      bytes[`${from}→${to}` as keyof LinkBytes] += packedBytes(tensor.shape, tensor.width);
  });
  return { rounds, bytes, dealt: { ...noBytes, "dealer→server": account.server, "dealer→client": account.client } };
}
