import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  execute,
  inputsOf,
  interpret,
  type Kernel,
  kernelBuilder,
  type Lane,
  outputLanes,
  parseKernel,
  printKernel,
  type Term,
  wordsOf,
} from "../../../runtime/kernels/index.ts";

/*
 * Kernels drawn at random, executed three ways: as WebAssembly in tiles, in TypeScript, and one element at a time with
 * integers of any size. `KERNELS=10000 npx vitest run test/runtime/kernels` draws more.
 */
const runs = Number(process.env.KERNELS ?? 300);

type Step = readonly [name: number, a: number, b: number, by: number];
const steps = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(63)), { minLength: 1, maxLength: 24 });

interface Drawn {
  readonly kernel: Kernel;
  readonly inputs: readonly Uint32Array[];
  readonly count: number;
}

const topOf = (lane: Lane): number => (lane === "u32" ? 32 : 64);

function build(inputs: readonly (readonly [Lane, "each" | "one", number])[], drawn: readonly Step[]): Kernel {
  const code = kernelBuilder();
  const terms: Term[] = inputs.map(([lane, kind, bits]) => code.input(kind, lane, bits));
  const pick = (n: number, lanes: readonly Lane[]): Term | undefined => {
    const fitting = terms.filter(({ lane }) => lanes.includes(lane));
    return fitting[n % Math.max(1, fitting.length)];
  };
  const words: readonly Lane[] = ["u32", "u64"];
  for (const [name, p, q, by] of drawn) {
    const x = pick(p, words)!;
    const y = pick(q, [x.lane])!;
    const within = by % topOf(x.lane);
    const narrow = pick(p, ["u32"]);
    const wide = pick(q, ["u64"]);
    const makers: readonly (() => Term | undefined)[] = [
      () => code.add(x, y),
      () => code.sub(x, y),
      () => code.mul(x, y),
      () => code.and(x, y),
      () => code.or(x, y),
      () => code.xor(x, y),
      () => code.shl(x, within),
      () => code.shr(x, within),
      () => code.sar(x, within),
      () => code.mask(x, within + 1),
      () => code.mask(code.add(x, y), within + 1),
      () => code.mask(code.mul(code.loose(code.mask(x, within + 1), within + 1), y), within + 1),
      () => code.constant(x.lane as "u32", p % 2 ? 2 ** within : q),
      () => narrow && code.power(code.mask(narrow, 5)),
      () => narrow && code.widen(narrow),
      () => wide && code.low(wide),
      // A double of less than 2^51, from a word and a half.
      () => narrow && code.integer(code.floor(code.mul(code.float(narrow), code.real((q % 1024) / 16 - 32)))),
      () =>
        narrow &&
        code.integer(code.sub(code.float(narrow), code.add(code.float(code.low(code.widen(narrow))), code.real(by)))),
    ];
    const made = makers[name % makers.length]!();
    if (made) terms.push(made);
  }
  return code.finish(terms.slice(-3));
}

const lanes = fc.constantFrom<Lane>("u32", "u64");
const kinds = fc.constantFrom<"each" | "one">("each", "each", "one");
const drawn: fc.Arbitrary<Drawn> = fc
  .tuple(fc.array(fc.tuple(lanes, kinds), { minLength: 1, maxLength: 4 }), steps, fc.integer({ min: 1, max: 200 }))
  .chain(([forms, program, count]) => {
    const contents = forms.map(([lane, kind]) => {
      const length = wordsOf(lane) * (kind === "one" ? 1 : count);
      const word = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1));
      return fc.array(word, { minLength: length, maxLength: length }).map((words) => Uint32Array.from(words));
    });
    return fc.tuple(...contents).map((inputs) => ({
      kernel: build(
        forms.map(([lane, kind]) => [lane, kind, topOf(lane)]),
        program,
      ),
      inputs,
      count,
    }));
  });

/** What WebAssembly gives, on tiles. */
function executed({ kernel, inputs, count }: Drawn): readonly Uint32Array[] {
  const outputs = outputLanes(kernel).map((lane) => new Uint32Array(count * wordsOf(lane)));
  const forms = inputsOf(kernel);
  execute(
    kernel,
    inputs.map((words, k) => {
      const each = wordsOf(forms[k]!.lane);
      if (forms[k]!.kind === "one") return { kind: "one", words };
      const read = (to: Uint32Array, at: number, from: number, size: number): void =>
        to.set(words.subarray(each * from, each * (from + size)), at);
      return { kind: "each", read };
    }),
    outputs.map((words) => ({ kind: "words", words })),
    count,
  );
  return outputs;
}

/** The language once more, by its definition. */
function defined({ kernel, inputs, count }: Drawn): readonly Uint32Array[] {
  const outputs = outputLanes(kernel).map((lane) => new Uint32Array(count * wordsOf(lane)));
  for (let k = 0; k < count; k++) {
    const found: (bigint | number)[] = [];
    for (const value of kernel.values) {
      const top = topOf(value.lane);
      if (value.kind === "operator") {
        const args = value.args.map((arg) => found[arg]!);
        found.push(define(value.name, args, value.by, top));
      } else if (value.kind === "constant") {
        const words = Uint32Array.of(value.low, value.high);
        found.push(value.lane === "f64" ? new Float64Array(words.buffer)[0]! : big(words[0]!, words[1]!));
      } else {
        const each = wordsOf(value.lane);
        const at = value.kind === "one" ? 0 : each * k;
        const words = inputs[value.index]!;
        found.push(big(words[at]!, each === 2 ? words[at + 1]! : 0));
      }
    }
    kernel.outputs.forEach((index, n) => {
      const result = found[index]! as bigint;
      if (outputs[n]!.length === count) outputs[n]![k] = Number(result);
      else [outputs[n]![2 * k], outputs[n]![2 * k + 1]] = [Number(result & 0xffffffffn), Number(result >> 32n)];
    });
  }
  return outputs;
}

const big = (low: number, high: number): bigint => BigInt(low) + (BigInt(high) << 32n);

function define(name: string, args: readonly (bigint | number)[], by: number, top: number): bigint | number {
  if (args.some((arg) => typeof arg === "number")) {
    const [x, y] = args as readonly number[];
    if (name === "integer") return BigInt.asUintN(64, BigInt(x!));
    return { add: x! + y!, sub: x! - y!, mul: x! * y!, floor: Math.floor(x!) }[name]!;
  }
  const [x, y] = args as readonly [bigint, bigint];
  const makers: Readonly<Record<string, () => bigint | number>> = {
    add: () => x + y,
    sub: () => x - y,
    mul: () => x * y,
    and: () => x & y,
    or: () => x | y,
    xor: () => x ^ y,
    shl: () => x << BigInt(by),
    shr: () => x >> BigInt(by),
    sar: () => BigInt.asIntN(top, x) >> BigInt(by),
    power: () => 1n << x,
    widen: () => x,
    low: () => x,
    float: () => Number(x),
  };
  const result = makers[name]!();
  return typeof result === "number" ? result : BigInt.asUintN(top, result);
}

const integersAlone = ({ kernel }: Drawn): boolean => !outputLanes(kernel).includes("f64");

describe("a kernel drawn at random", () => {
  test(`gives the same in WebAssembly, in TypeScript and by definition (${runs})`, () => {
    fc.assert(
      fc.property(drawn.filter(integersAlone), (each) => {
        const wanted = defined(each);
        expect(interpret(each.kernel, each.inputs, each.count)).toEqual(wanted);
        expect(executed(each)).toEqual(wanted);
      }),
      { numRuns: runs },
    );
  });

  test("is the kernel of its text", () => {
    fc.assert(
      fc.property(drawn, ({ kernel }) => {
        expect(parseKernel(printKernel(kernel))).toEqual(kernel);
      }),
      { numRuns: 100 },
    );
  });
});
