import { type Module, type Op, opsOf, typeOf } from "../../ir/module.ts";
import { verify } from "../../ir/verify.ts";
import { sessionError } from "../../runtime/core/index.ts";
import type { Program } from "../../runtime/program/index.ts";
import { predict, predictSetup } from "../../runtime/session/index.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { planProgram } from "../../targets/program/plan.ts";
import { sha256 } from "../build/index.ts";
import { loadMir } from "../run/index.ts";
import { usualMemoryBudget } from "./memory-budget.ts";

/** What a dealer accepts of a server's program. */
export interface ProgramLimits {
  /** Bytes of correlations for one query. */
  readonly maxDealtBytes: number;
  /** Bytes of all texts together. */
  readonly maxProgramBytes: number;
  /** Operators of all programs together. */
  readonly maxOperators: number;
  /** Products and elements of one query: see `workOf`. */
  readonly maxWork: number;
  /** Bytes of memory for the queries of long sessions at the same time: see `PlanCost`. */
  readonly maxMemory: number;
  /** Bytes of correlations for one query of a short program. */
  readonly maxShortBytes: number;
}

/** What a query of the planned programs takes, by their shapes alone. */
export interface PlanCost {
  /** Bytes that the dealer has in memory while it deals. */
  readonly memory: number;
  /** Whether one step of it may take longer than others should wait. */
  readonly isLong: boolean;
}

/** Measured: dealing has up to six times in memory what it sends. */
const memoryPerDealtByte = 6;
/** A core multiplies about so much in half a second. */
const shortWork = 5e8;

/** By default 4 GB of correlations; texts and operators of a model of hundreds of layers; some minutes of arithmetic. */
export const defaultProgramLimits: ProgramLimits = {
  maxDealtBytes: 4e9,
  maxProgramBytes: 16 * 2 ** 20,
  maxOperators: 100_000,
  maxWork: 1e12,
  maxMemory: usualMemoryBudget(),
  // A core deals about so much in half a second.
  maxShortBytes: 2 ** 23,
};

/** The texts of a server's modules: the prefill program, then the others. */
export interface ProgramTexts {
  readonly setting: string;
  readonly programs: readonly Uint8Array[];
}

/** The prefill program and, if the build has them, the decode program and the shorter prefill programs. */
export type PlannedPrograms = readonly [Program, ...Program[]];

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

type WorkOf = (result: readonly number[], operands: readonly (readonly number[])[]) => number;

/** Products of an operator that multiplies each element with several others; all others are linear in their elements. */
const products: Readonly<Record<string, WorkOf>> = {
  matmul: (result, [x]) => sizeOf(result) * (x!.at(-1) ?? 1),
  "low-rank": (_, [x, ...matrices]) =>
    (sizeOf(x!) / (x!.at(-1) || 1)) * matrices.reduce((sum, matrix) => sum + sizeOf(matrix), 0),
  conv: (result, [, w]) => sizeOf(result) * sizeOf(w!.slice(1)),
  attention: (_, [q, k]) => 2 * sizeOf(q!) * (k!.at(-2) ?? 1),
  "cached-attention": (_, [q, k, , past]) => 2 * sizeOf(q!) * ((k!.at(-2) ?? 1) + (past?.at(-2) ?? 0)),
  // A row of a private table is found among all of them.
  lookup: (result, operands) => sizeOf(result) * Math.max(1, ...operands.map((shape) => shape[0] ?? 1)),
  rank: (result, [x]) => sizeOf(result) * (x!.at(-1) ?? 1),
};

/** What an operator costs at most, of its types alone: nothing is planned for it. */
function workOf(module: Module, op: Op): number {
  const shapes = op.operands.map((id) => typeOf(module, id).shape);
  const result = typeOf(module, op.result).shape;
  const elements = [result, ...shapes].reduce((sum, shape) => sum + sizeOf(shape), 0);
  return elements + (products[op.name]?.(result, shapes) ?? 0);
}

/** The work of the largest one. @throws SessionError programTooCostly where a module is beyond the limits, before anything is planned */
function refuseBeyond(modules: readonly Module[], { maxOperators, maxWork }: ProgramLimits): number {
  const operators = modules.reduce((sum, module) => sum + opsOf(module).length, 0);
  refuseMore(operators, maxOperators, "operators", "--max-operators");
  const works = modules.map((module) => opsOf(module).reduce((sum, op) => sum + workOf(module, op), 0));
  const most = Math.max(...works);
  refuseMore(most, maxWork, "products and elements for a query", "--max-work");
  return most;
}

/** @throws SessionError programTooCostly */
export function refuseMore(found: number, expected: number, what: string, option: string): void {
  if (found > expected) throw sessionError("programTooCostly", { peer: "server", found, expected, what, option });
}

async function readVerified(bytes: Uint8Array, limit: number): Promise<Module> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const module = await loadMir(text, { limit });
  if (verify(module).length > 0 || module.stage !== "schedule")
    throw new TypeError("the module is not a valid scheduled module");
  return module;
}

/** A planning error may quote the module: the log and the peer get only the cause. */
async function orMalformed<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch {
    throw sessionError("malformed", { peer: "server", what: "program" });
  }
}

/**
 * Verifies, bounds and plans the modules. Nothing from the network runs as code: a plan is data, and the dealer executes
 * it with its own protocols.
 * @throws SessionError malformed for a text that is not a scheduled module, programTooCostly beyond the limits
 */
export const planPrograms = async (texts: ProgramTexts, limits: ProgramLimits): Promise<PlannedPrograms> =>
  (await planWithCost(texts, limits)).programs;

/** The same, and what a query takes. */
export async function planWithCost(
  { setting, programs: texts }: ProgramTexts,
  limits: ProgramLimits,
): Promise<{ readonly programs: PlannedPrograms; readonly cost: PlanCost }> {
  const modules = await orMalformed(() => Promise.all(texts.map((text) => readVerified(text, limits.maxProgramBytes))));
  const work = refuseBeyond(modules, limits);
  const [first, ...others] = modules as [Module, ...Module[]];
  const [firstText, ...otherTexts] = texts as [Uint8Array, ...Uint8Array[]];
  const planned = await orMalformed(
    (): { readonly programs: PlannedPrograms; readonly dealt: number; readonly hidden: number } => {
      const further = others.map((module, k) => programFromPlan(planProgram(module, setting), sha256(otherTexts[k]!)));
      const keeps = Object.keys(further[0]?.cached ?? {});
      const prefill = programFromPlan(planProgram(first, setting, keeps), sha256(firstText));
      const programs: PlannedPrograms = [prefill, ...further];
      const dealt = programs.map((program) => predict(program).offline.bytes["dealer→server"]);
      return { programs, dealt: Math.max(...dealt), hidden: predictSetup(programs).bytes["server→dealer"] };
    },
  );
  refuseMore(planned.dealt, limits.maxDealtBytes, "bytes of correlations per query", "--max-bytes");
  const { programs, dealt, hidden } = planned;
  const memory = memoryPerDealtByte * dealt + hidden;
  refuseMore(memory, limits.maxMemory, "bytes of memory for a query", "--max-memory");
  return { programs, cost: { memory, isLong: dealt + hidden > limits.maxShortBytes || work > shortWork } };
}
