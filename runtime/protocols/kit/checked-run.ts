import { type Shape, sameShape } from "../../ring/index.ts";
import type { Fixed, Operand, OperandForm, Protocol } from "./protocol-types.ts";

interface Held {
  readonly shape: Shape;
  /** Ring of what the party holds; absent for plain integers. */
  readonly width?: number;
}

const heldAs: {
  readonly [K in Operand["kind"]]: (operand: Extract<Operand, { kind: K }>) => Held;
} = {
  share: ({ tensor }) => tensor,
  masked: ({ opened }) => opened,
  replicated: ({ components: [first] }) => first,
  weight: ({ shape, width }) => ({ shape, width }),
  int: ({ shape }) => ({ shape }),
};

const heldOf = (operand: Operand): Held => (heldAs[operand.kind] as (operand: Operand) => Held)(operand);

const kindOfForm: Readonly<Record<OperandForm, Operand["kind"]>> = {
  share: "share",
  masked: "masked",
  replicated: "replicated",
  weight: "weight",
  fixed: "masked",
  public: "int",
  server: "int",
  residue: "int",
};
/** Weights are held in the ring of the result. */
const inOwnRing: ReadonlySet<OperandForm> = new Set<OperandForm>(["share", "masked", "replicated"]);

/** Axis of positions in keys and values: of earlier positions, those that exist take part. */
const positionsAxis = 2;
const mayBeShorter = ({ implements: operator }: Protocol, index: number): boolean =>
  index > 0 && (operator === "attention" || operator === "cached-attention");

const typeText = ({ shape, width }: Held): string =>
  `[${shape.join(", ")}]${width === undefined ? "" : ` in ${width} bits`}`;

/**
 * A protocol works on what it is given, and the program says what that is. Where the two differ, a later step would open
 * more, or something else, than the program shows: nothing is sent then.
 * @throws TypeError
 */
export function requireOperands(protocol: Protocol, said: readonly Fixed[], operands: readonly Operand[]): void {
  const fail = (what: string): never => {
    throw new TypeError(`${protocol.name} does not get what the program says: ${what}`);
  };
  if (said.length !== operands.length) fail(`${operands.length} operands, not ${said.length}`);
  operands.forEach((operand, index) => {
    const form = protocol.forms[Math.min(index, protocol.forms.length - 1)]!;
    const type = said[index]!;
    const held = heldOf(operand);
    if (operand.kind !== kindOfForm[form]) fail(`operand ${index} is ${operand.kind}, not ${kindOfForm[form]}`);
    const rows = held.shape[positionsAxis] ?? 0;
    const shape =
      mayBeShorter(protocol, index) && rows <= (type.shape[positionsAxis] ?? -1)
        ? type.shape.with(positionsAxis, rows)
        : type.shape;
    const inRing = !inOwnRing.has(form) || held.width === type.width;
    if (!sameShape(held.shape, shape) || !inRing) fail(`operand ${index} is ${typeText(held)}, not ${typeText(type)}`);
  });
}

/** The same of a result. @throws TypeError */
export function requireResult(protocol: Protocol, said: Fixed, result: Operand): void {
  const held = heldOf(result);
  if (sameShape(held.shape, said.shape) && held.width === said.width) return;
  throw new TypeError(`${protocol.name} does not give what the program says: ${typeText(held)}, not ${typeText(said)}`);
}
