import { beforeAll, describe, expect, it } from "vitest";
import { interpret } from "../../ir/interpret.ts";
import { opsOf } from "../../ir/module.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { print } from "../../ir/text/print.ts";
import { calibrate } from "../../passes/4-quantize/calibrate.ts";
import { withCachedRanges } from "../../passes/4-quantize/calibration-types.ts";
import { quantizePass } from "../../passes/4-quantize/index.ts";
import { selectPass } from "../../passes/5-select/index.ts";
import { schedulePass } from "../../passes/6-schedule/index.ts";
import { runPass, type SplitState } from "../../passes/pass.ts";
import { sessionError } from "../../runtime/core/errors.ts";
import type { BytesByDirection, Direction } from "../../runtime/core/steps.ts";
import type { Program } from "../../runtime/program/program.ts";
import { type IntTensor, intTensor } from "../../runtime/ring/tensor.ts";
import { runDealer } from "../../runtime/session/dealer-session.ts";
import { openClient, openServer } from "../../runtime/session/party-session.ts";
import { addBytes, predict, predictSetup } from "../../runtime/session/predict.ts";
import type { QueryPosition } from "../../runtime/session/requests.ts";
import type { Channel } from "../../runtime/transport/channel.ts";
import { memoryPair } from "../../runtime/transport/memory-channel.ts";
import { emitProgram } from "../../targets/program/emit.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { type ProgramPlan, planProgram } from "../../targets/program/plan.ts";
import { integerWeights, runSession } from "../harness/run-session.ts";
import { decoder, derive, length, prompt, rows, secure, width } from "../passes/decoder-model.ts";
import { createNoise } from "../passes/models.ts";
import { load, typeErrors } from "../targets/programs.ts";

/*
 * A causal model as two programs over one state: the window, then place by place. The programs are those that are
 * emitted as text, all three parties run them.
 */
const state = secure(decoder());
const one = derive(state);
/** Places of a shorter window. */
const short = 4;
const first = derive(state, undefined, short);
const given = createNoise(5)([1, length, width], 2);
const calibration = calibrate(state, [new Map([["x", given]])], { margin: 1.5 });
const facts = { hash: "0".repeat(64), compiler: "test" };

function plan(from: SplitState, kept?: typeof one.cached): ProgramPlan {
  const options = { calibration: kept ? withCachedRanges(calibration, kept) : calibration };
  const scheduled = [selectPass({ setting: "2pc-dealer" }), schedulePass].reduce(
    (current, pass) => runPass(pass, current),
    runPass(quantizePass(options), from),
  );
  return planProgram(scheduled.module, "2pc-dealer", kept ? [] : [...one.cached.keys()]);
}

const plans = { window: plan(state), next: plan(one.state, one.cached), short: plan(first.state, first.cached) };
const texts = {
  window: emitProgram(plans.window, "server", facts),
  next: emitProgram(plans.next, "server", facts),
  short: emitProgram(plans.short, "server", facts),
};
let window: Program;
let next: Program;
let shorter: Program;
beforeAll(async () => {
  [window, next, shorter] = [await load(texts.window.js), await load(texts.next.js), await load(texts.short.js)];
});

const asked: readonly QueryPosition[] = [
  { program: 0, position: prompt },
  ...Array.from({ length: length - prompt }, (_, k) => ({ program: 1, position: prompt + k })),
];

const rawOf = (x: Tensor): Readonly<Record<string, IntTensor>> => {
  const { scale } = window.inputs.x!;
  return {
    x: intTensor(
      x.shape,
      x.data.map((value) => Math.round(value * 2 ** scale)),
    ),
  };
};

function session(x: Tensor, questions: readonly QueryPosition[], wrap?: (channel: Channel) => Channel) {
  const tensors = new Map([...integerWeights(window, state.weights), ...integerWeights(next, state.weights)]);
  const inputs = questions.map(({ program, position: place }) => {
    const [from, to] = program === 1 ? [place, place + 1] : [0, program === 0 ? length : short];
    return rawOf(rows(x, 1, from!, to!));
  });
  return runSession(window, tensors, inputs, wrap, {
    decodeProgram: next,
    shorterPrefills: [shorter],
    positions: questions,
  });
}

/** A session whose parties a test drives itself. */
async function openAll() {
  const [client, server] = memoryPair("client", "server");
  const [clientDealer, dealerClient] = memoryPair("client", "dealer");
  const [serverDealer, dealerServer] = memoryPair("server", "dealer");
  const tensors = new Map([...integerWeights(window, state.weights), ...integerWeights(next, state.weights)]);
  const programs = { program: window, decodeProgram: next, tensors };
  const dealing = runDealer(window, { client: dealerClient, server: dealerServer }, next);
  const [serving, asking] = await Promise.all([
    openServer({ ...programs, peer: server, dealer: serverDealer }),
    openClient({ ...programs, peer: client, dealer: clientDealer }),
  ]);
  return { asking, serving, dealing, server, dealers: [dealerServer, dealerClient] };
}

const outputOf = (outputs: ReadonlyMap<string, IntTensor>): Tensor => {
  const [[id, { shape, data }]] = [...outputs] as [[string, IntTensor]];
  return tensor(
    shape,
    data!.map((value) => value / 2 ** window.outputs[id]!.scale),
  );
};

const minus = (a: BytesByDirection, b: BytesByDirection): BytesByDirection =>
  Object.fromEntries(
    Object.entries(a).map(([link, count]) => [link, count - b[link as Direction]]),
  ) as unknown as BytesByDirection;

describe("a session that keeps keys and values", () => {
  it("computes the rows of the window place by place; each step sends what was counted for its place", async () => {
    const { results, after } = await session(given, asked);
    const expected = [...interpret(state.module, state.weights, new Map([["x", given]])).values()][0]!;
    const setup = predictSetup([window, next]).bytes;
    let before = setup;
    for (const [k, { program, position: place }] of asked.entries()) {
      const counted = predict(program === 0 ? window : next, place);
      expect(minus(after[k]!, before)).toEqual(addBytes(counted.offline.bytes, counted.online.bytes));
      expect(results[k]!.rounds).toBe(counted.online.rounds);
      before = after[k]!;
      const found = outputOf(results[k]!.outputs);
      const wanted = program === 0 ? expected : rows(expected, 1, place, place + 1);
      // Rows of the window behind the prompt are answered as well.
      found.data.forEach((value, at) => void expect(Math.abs(value - wanted.data[at]!)).toBeLessThan(0.05));
    }
  });

  it("sends as much whatever the secrets are", async () => {
    const other = await session(createNoise(99)([1, length, width], 2), asked.slice(0, 3));
    const { after } = await session(given, asked.slice(0, 3));
    expect(other.after).toEqual(after);
  });

  it("hides a weight that both programs take alike once", () => {
    const [both, apart] = [predictSetup([window, next]).bytes, predictSetup([window]).bytes];
    expect(both["server→dealer"]).toBe(apart["server→dealer"]);
    // A table of positions is taken whole by one and row by row by the other.
    expect(next.weights.positions).toEqual({ ...window.weights.positions, rowAxis: 1 });
    // A gain for each place hides in the pad of its own row.
    expect(next.weights.gains).toMatchObject({ form: "known", shape: [1, length, width], rowAxis: 1 });
  });

  it("costs more at a later place, and by attention alone", () => {
    const [early, late] = [2, 5].map((place) => predict(next, place));
    const attention = opsOf(one.state.module).filter(({ name }) => name === "cached-attention");
    const grown = [...late!.dealerByOperator].filter(([label, count]) => early!.dealerByOperator.get(label) !== count);
    expect(grown.length).toBeGreaterThan(0);
    expect(attention.map(({ result }) => result)).toEqual(expect.arrayContaining(grown.map(([label]) => label)));
    expect(late!.online.bytes["client→server"]).toBeGreaterThan(early!.online.bytes["client→server"]);
  });

  it("prepares a step before its input is known", async () => {
    const { asking, serving, dealing } = await openAll();
    await Promise.all([asking.query(rawOf(given), asked[0]), serving.serve()]);
    const served = serving.serve();
    await asking.prepare(asked[1]);
    const { outputs, at: answered } = await asking.query(rawOf(rows(given, 1, prompt, prompt + 1)), asked[1]);
    await served;
    expect(answered).toEqual(asked[1]);
    const expected = [...interpret(state.module, state.weights, new Map([["x", given]])).values()][0]!;
    const wanted = rows(expected, 1, prompt, prompt + 1);
    outputOf(outputs).data.forEach((value, at) => void expect(Math.abs(value - wanted.data[at]!)).toBeLessThan(0.05));
    await Promise.all([asking.end(), serving.serve(), dealing]);
  });

  it("is over once it has failed, and keeps nothing", async () => {
    const { asking, serving, dealing, server, dealers } = await openAll();
    await Promise.all([asking.query(rawOf(given), asked[0]), serving.serve()]);
    const failing = asking.query(rawOf(rows(given, 1, prompt, prompt + 1)), asked[1]);
    await server.close(sessionError("closed", { peer: "client" }));
    await expect(failing).rejects.toThrow();
    await expect(asking.query(rawOf(given), asked[0])).rejects.toThrow("this session failed before");
    await Promise.all(dealers.map((channel) => channel.close(sessionError("closed", { peer: channel.peer }))));
    await expect(dealing).rejects.toThrow();
  });

  it("does the same by the module that the dealer service executes", () => {
    const executed = programFromPlan(plans.next, facts.hash);
    for (const place of [1, 4]) expect(predict(executed, place)).toEqual(predict(next, place));
  });

  it.each<[string, QueryPosition]>([
    ["a place that was skipped", { program: 1, position: prompt + 1 }],
    ["a place that is there", { program: 1, position: prompt - 1 }],
    ["a fourth program", { program: 3, position: prompt }],
    ["a place after nothing", { program: 1, position: 0 }],
    ["a window of more text than it has rows", { program: 0, position: length + 1 }],
  ])("refuses %s", async (_, wrong) => {
    const [first] = asked as [QueryPosition];
    await expect(session(given, [first, wrong])).rejects.toThrow(
      `asks about position ${wrong.position} of program ${wrong.program}, but ${prompt} positions are cached`,
    );
  });

  it("begins with a shorter window, and goes on in the same way", async () => {
    const questions: readonly QueryPosition[] = [{ program: 2, position: prompt }, ...asked.slice(1)];
    const { results, after } = await session(given, questions);
    const expected = [...interpret(state.module, state.weights, new Map([["x", given]])).values()][0]!;
    for (const [k, { program, position: place }] of questions.entries()) {
      const found = outputOf(results[k]!.outputs);
      const wanted = program === 2 ? rows(expected, 1, 0, short) : rows(expected, 1, place, place + 1);
      expect(found.shape).toEqual(wanted.shape);
      found.data.forEach((value, at) => void expect(Math.abs(value - wanted.data[at]!)).toBeLessThan(0.05));
    }
    const setup = predictSetup([window, next, shorter]).bytes;
    const counted = predict(shorter, prompt);
    expect(minus(after[0]!, setup)).toEqual(addBytes(counted.offline.bytes, counted.online.bytes));
    expect(counted.online.bytes["client→server"]).toBeLessThan(predict(window, prompt).online.bytes["client→server"]);
    // Of each table of positions it takes the first rows; what all take alike is hidden once.
    expect(shorter.weights.positions).toEqual(next.weights.positions);
    expect(setup["server→dealer"]).toBe(predictSetup([window]).bytes["server→dealer"]);
  });

  it("keeps no more of a shorter window than it has", async () => {
    await expect(session(given, [{ program: 2, position: short + 1 }])).rejects.toThrow("positions are cached");
  });

  it("starts anew with another window", async () => {
    const again = [asked[0]!, asked[1]!, asked[0]!, asked[1]!];
    const { results } = await session(given, again);
    const [first, second] = [outputOf(results[1]!.outputs), outputOf(results[3]!.outputs)];
    second.data.forEach((value, k) => void expect(Math.abs(value - first.data[k]!)).toBeLessThan(0.05));
  });
});

describe("the text of the programs", () => {
  it("type-checks, and says what is kept and read", () => {
    expect(typeErrors(texts.next.ts)).toEqual([]);
    const [name] = one.cached.keys();
    expect(texts.window.ts).toContain(`"${name}": { shape: [1, 1, ${length}, 4]`);
    expect(texts.window.ts).toContain("past: 0 },");
    expect(texts.next.ts).toContain(`past: ${length - 1} },`);
    expect(texts.next.ts).toContain(`cached["${name}"]`);
  });

  it("is of modules that print and are found again", () => {
    expect(print(one.state.module)).toContain("cached-attention");
    expect(Object.keys(next.cached!)).toEqual([...one.cached.keys()]);
    expect(Object.keys(window.cached!)).toEqual([...one.cached.keys()]);
    for (const name of one.cached.keys()) {
      const [a, b] = [window.cached![name]!, next.cached![name]!];
      expect([a.width, a.scale]).toEqual([b.width, b.scale]);
    }
  });
});
