import { beforeAll } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { withCachedRanges } from "../../passes/4-quantize/calibration-types.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import type { Program } from "../../runtime/program/program.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/tensor.ts";
import { runDealer } from "../../runtime/session/dealer-session.ts";
import { openClient, openServer } from "../../runtime/session/party-session.ts";
import type { QueryPosition } from "../../runtime/session/requests.ts";
import { memoryPair } from "../../runtime/transport/memory-channel.ts";
import { emitProgram } from "../../targets/program/emit.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession, type SessionRun } from "../harness/run-session.ts";
import { decoder, derive, length, prompt, rows, secure, width } from "../passes/decoder-model.ts";
import { createNoise } from "../passes/models.ts";
import { load } from "../targets/programs.ts";

/*
 * A causal model as programs over one state: the window, then place by place, and a shorter window to begin with. The
 * programs are those that are emitted as text, all three parties run them.
 */

/** Numbers of the programs in a query. */
export const windowProgram = 0;
export const stepProgram = 1;
export const shortProgram = 2;
/** Places of the shorter window. */
export const shortLength = 4;

export const model = secure(decoder());
export const step = derive(model);
const short = derive(model, undefined, shortLength);
export const features: Tensor = createNoise(5)([1, length, width], 2);
export const facts = { hash: "0".repeat(64), compiler: "test" };

const calibration = calibrate(model, [new Map([["x", features]])], { margin: 1.5 });

/** The plan of a state. A derived one takes the ranges of the window; the window names what it keeps. */
function plan(from: SplitState, cached?: typeof step.cached): ProgramPlan {
  const ranges = cached ? withCachedRanges(calibration, cached) : calibration;
  const quantized = runPass(quantizePass({ calibration: ranges }), from);
  const selected = runPass(selectPass({ setting: "2pc-dealer" }), quantized);
  const scheduled = runPass(schedulePass, selected);
  return planProgram(scheduled.module, "2pc-dealer", cached ? [] : [...step.cached.keys()]);
}

const windowPlan = plan(model);
export const stepPlan = plan(step.state, step.cached);
const shortPlan = plan(short.state, short.cached);

export const windowText = emitProgram(windowPlan, "server", facts);
export const stepText = emitProgram(stepPlan, "server", facts);
const shortText = emitProgram(shortPlan, "server", facts);

export let window: Program;
export let next: Program;
export let shorter: Program;
beforeAll(async () => {
  window = await load(windowText.js);
  next = await load(stepText.js);
  shorter = await load(shortText.js);
});

/** The window with the prompt. */
export const askPrompt: QueryPosition = { program: windowProgram, position: prompt };
/** Each place behind the prompt. */
export const askSteps: readonly QueryPosition[] = Array.from({ length: length - prompt }, (_, k) => ({
  program: stepProgram,
  position: prompt + k,
}));
/** The first place behind the prompt. */
export const askFirstStep = askSteps[0]!;

/** Row of features or outputs at a place. */
export const rowAt = (x: Tensor, place: number): Tensor => rows(x, 1, place, place + 1);

/** Features as integers at the scale of the programs. */
export const rawOf = (x: Tensor): Readonly<Record<string, IntTensor>> => {
  const { scale } = window.inputs.x!;
  const integers = x.data.map((value) => Math.round(value * 2 ** scale));
  return { x: intTensor(x.shape, integers) };
};

function inputOf({ program, position }: QueryPosition, x: Tensor): Readonly<Record<string, IntTensor>> {
  if (program === stepProgram) return rawOf(rowAt(x, position));
  return rawOf(rows(x, 1, 0, program === windowProgram ? length : shortLength));
}

const weightsOfBoth = (): ReadonlyMap<string, IntTensor> =>
  new Map([...integerWeights(window, model.weights), ...integerWeights(next, model.weights)]);

/** A session of all three parties that asks the questions about rows of x. */
export function runQuestions(x: Tensor, questions: readonly QueryPosition[]): Promise<SessionRun> {
  const inputs = questions.map((question) => inputOf(question, x));
  const chain = { decodeProgram: next, shorterPrefills: [shorter], positions: questions };
  return runSession(window, weightsOfBoth(), inputs, undefined, chain);
}

/** A session whose parties a test drives itself. */
export async function openParties() {
  const [client, server] = memoryPair("client", "server");
  const [clientDealer, dealerClient] = memoryPair("client", "dealer");
  const [serverDealer, dealerServer] = memoryPair("server", "dealer");
  const programs = { program: window, decodeProgram: next, tensors: weightsOfBoth() };
  const dealing = runDealer(window, { client: dealerClient, server: dealerServer }, next);
  const [serving, asking] = await Promise.all([
    openServer({ ...programs, peer: server, dealer: serverDealer }),
    openClient({ ...programs, peer: client, dealer: clientDealer }),
  ]);
  return { asking, serving, dealing, server, dealers: [dealerServer, dealerClient] };
}

/** The only output of a query, as real numbers. */
export const outputOf = ({ outputs }: { readonly outputs: ReadonlyMap<string, IntTensor> }): Tensor => {
  const [[id, { shape, data }]] = [...outputs] as [[string, IntTensor]];
  const { scale } = window.outputs[id]!;
  return tensor(
    shape,
    data!.map((value) => value / 2 ** scale),
  );
};

/** What the interpreter answers for the whole window. */
export const expectedWindow = (): Tensor =>
  [...interpret(model.module, model.weights, new Map([["x", features]])).values()][0]!;

/** The largest difference between two tensors. */
export const largestError = (found: Tensor, wanted: Tensor): number =>
  found.data.reduce((most, value, at) => Math.max(most, Math.abs(value - wanted.data[at]!)), 0);
