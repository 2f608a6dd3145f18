import { mayHoldWeight } from "../../compiler/build/index.ts";
import {
  type ArchitectureName,
  type EstimateOptions,
  estimateSetting,
  scheduledEstimate,
} from "../../compiler/estimate/index.ts";
import { assertTrafficPredicted, expectedTraffic, meterTraffic, setupRounds } from "../../compiler/run/index.ts";
import { interpret, toRaw } from "../../ir/interpret.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { type Shape, sizeOf } from "../../ir/type.ts";
import type { SplitState } from "../../passes/pass.ts";
import type { Role } from "../../runtime/core/index.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/index.ts";
import { openClient, openServer, prefillStart, runDealer } from "../../runtime/session/index.ts";
import { memoryPair } from "../../runtime/transport/index.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { modelTensorOf, type ProgramPlan, planProgram } from "../../targets/program/plan.ts";

/** Measurements of one query of an architecture. */
export interface EstimateRun {
  readonly rounds: number;
  /** Processor time of all three parties, which share a thread; it excludes other work on the machine. */
  readonly seconds: number;
  /** Largest difference from the interpreter, relative to the largest output. */
  readonly error: number;
}

/**
 * Runs an architecture with generated weights: one session with this many queries, all parties in this thread.
 * @throws InternalError MRL0799 where bytes or rounds differ from the count
 */
export async function runArchitecture(
  name: ArchitectureName,
  options: EstimateOptions,
  queries: number,
): Promise<readonly EstimateRun[]> {
  const state = scheduledEstimate(name, { ...options, weightValues: weightGenerator() });
  const plan = planProgram(state.module, estimateSetting(options));
  const program = programFromPlan(plan, "");
  const [id, input] = Object.entries(program.inputs)[0]!;
  const values = lowDiscrepancy(input.shape, 1);
  const wanted = [...interpret(state.module, state.weights, new Map([[id, values]])).values()][0]!;

  const [atClient, atServer] = memoryPair("client", "server");
  const [clientsDealer, dealersClient] = memoryPair("client", "dealer");
  const [serversDealer, dealersServer] = memoryPair("server", "dealer");
  const held = (role: Role): ReadonlyMap<string, IntTensor> => tensorsOf(plan.weights, state, role);
  const dealer = runDealer(program, { client: dealersClient, server: dealersServer });
  const server = (async () => {
    const session = await openServer({ program, tensors: held("server"), peer: atServer, dealer: serversDealer });
    while (await session.serve());
  })();
  const client = (async () => {
    const session = await openClient({ program, tensors: held("client"), peer: atClient, dealer: clientsDealer });
    const runs: EstimateRun[] = [];
    for (let query = 0; query < queries; query++) {
      const started = process.cpuUsage();
      const { outputs, rounds } = await session.query({ [id]: toFixedPoint(values, input.scale) });
      const { user, system } = process.cpuUsage(started);
      const seconds = (user + system) / 1e6;
      const [[output, found]] = [...outputs] as [[string, IntTensor]];
      runs.push({ rounds, seconds, error: errorOf(found, program.outputs[output]!.scale, wanted) });
    }
    await session.end();
    return runs;
  })();
  const [runs] = await Promise.all([client, server, dealer]);
  assertTrafficPredicted(
    expectedTraffic([program], Array(queries).fill(prefillStart)),
    [setupRounds + runs.reduce((sum, { rounds }) => sum + rounds, 0)],
    [meterTraffic("client", [atClient, clientsDealer]), meterTraffic("server", [atServer, serversDealer])],
  );
  return runs;
}

const toFixedPoint = (x: Tensor, scale: number): IntTensor => intTensor(x.shape, toRaw(x, scale).data);

/** The weights that a role may hold, as integers. */
const tensorsOf = (weights: ProgramPlan["weights"], state: SplitState, role: Role): ReadonlyMap<string, IntTensor> =>
  new Map(
    Object.values(weights)
      .filter((decl) => mayHoldWeight(role, decl))
      .map((decl) => [decl.tensor, toFixedPoint(state.weights.get(modelTensorOf(decl))!, decl.scale)]),
  );

/** Values spread evenly over ±most: fractional parts of multiples of the golden ratio, from index `from` on. */
const lowDiscrepancy = (shape: Shape, most: number, from = 0): Tensor =>
  tensor(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, k) => most * (2 * (((from + k + 1) * golden) % 1) - 1)),
  );
const golden = (Math.sqrt(5) - 1) / 2;

/** Norm weights of 1, and distinct matrices that keep the length of a vector on average. */
function weightGenerator(): (shape: Shape) => Tensor {
  let from = 0;
  return (shape) => {
    from += 7919;
    return shape.length === 1
      ? tensor(shape, Array(shape[0]).fill(1))
      : lowDiscrepancy(shape, Math.sqrt(3 / shape[0]!), from);
  };
}

/** Largest difference of an output from the expected value, relative to the largest expected value. */
function errorOf(found: IntTensor, scale: number, wanted: Tensor): number {
  const differences = wanted.data.map((x, k) => Math.abs(found.data![k]! * 2 ** -scale - x));
  const largest = (values: Float64Array): number => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return largest(differences) / largest(wanted.data);
}
