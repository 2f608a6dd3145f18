import { describe, expect, it } from "vitest";
import { opsOf } from "../../ir/module.ts";
import { print } from "../../ir/text/print.ts";
import { sessionError } from "../../runtime/core/errors.ts";
import type { BytesByDirection, Direction } from "../../runtime/core/steps.ts";
import { addBytes, predict, predictSetup } from "../../runtime/session/predict.ts";
import { programFromPlan } from "../../targets/program/interpret-plan.ts";
import { length, prompt, rows, width } from "../passes/decoder-model.ts";
import { createNoise } from "../passes/models.ts";
import { typeErrors } from "../targets/programs.ts";
import {
  askFirstStep,
  askPrompt,
  askSteps,
  expectedWindow,
  facts,
  features,
  largestError,
  next,
  openParties,
  outputOf,
  rawOf,
  rowAt,
  runQuestions,
  shorter,
  shortLength,
  shortProgram,
  step,
  stepPlan,
  stepProgram,
  stepText,
  window,
  windowProgram,
  windowText,
} from "./cached-programs.ts";

/** How far fixed point may be from the interpreter. */
const tolerance = 0.05;

const minus = (a: BytesByDirection, b: BytesByDirection): BytesByDirection =>
  Object.fromEntries(
    Object.entries(a).map(([link, count]) => [link, count - b[link as Direction]]),
  ) as unknown as BytesByDirection;

describe("a session that keeps keys and values", () => {
  it("computes the rows of the window place by place", async () => {
    const expected = expectedWindow();

    const { results } = await runQuestions(features, [askPrompt, ...askSteps]);

    const [whole, ...steps] = results.map(outputOf);
    // Rows of the window behind the prompt are answered as well.
    expect(largestError(whole!, expected)).toBeLessThan(tolerance);
    for (const [k, { position }] of askSteps.entries()) {
      expect(largestError(steps[k]!, rowAt(expected, position))).toBeLessThan(tolerance);
    }
  });

  it("sends for each place what was counted for it", async () => {
    const questions = [askPrompt, ...askSteps];

    const { results, after } = await runQuestions(features, questions);

    let before = predictSetup([window, next]).bytes;
    for (const [k, { program, position }] of questions.entries()) {
      const counted = predict(program === windowProgram ? window : next, position);
      expect(minus(after[k]!, before)).toEqual(addBytes(counted.offline.bytes, counted.online.bytes));
      expect(results[k]!.rounds).toBe(counted.online.rounds);
      before = after[k]!;
    }
  });

  it("answers the query that was prepared and no other", async () => {
    const { asking, serving, dealing } = await openParties();
    const served = serving.serve();
    await asking.prepare(askPrompt);
    for (const other of [
      { ...askPrompt, program: stepProgram },
      { ...askPrompt, position: askPrompt.position + 1 },
    ])
      await expect(asking.query(rawOf(features), other)).rejects.toThrow("was prepared");
    const [answer] = await Promise.all([asking.query(rawOf(features), askPrompt), served]);
    expect(largestError(outputOf(answer), expectedWindow())).toBeLessThan(tolerance);
    await asking.end();
    await serving.serve();
    await dealing;
  });

  it("sends as much whatever the secrets are", async () => {
    const otherFeatures = createNoise(99)([1, length, width], 2);
    const questions = [askPrompt, ...askSteps.slice(0, 2)];

    const ours = await runQuestions(features, questions);
    const other = await runQuestions(otherFeatures, questions);

    expect(other.after).toEqual(ours.after);
  });

  it("starts anew with another window", async () => {
    const twice = [askPrompt, askFirstStep, askPrompt, askFirstStep];

    const { results } = await runQuestions(features, twice);

    const firstStep = outputOf(results[1]!);
    const sameStepAgain = outputOf(results[3]!);
    expect(largestError(sameStepAgain, firstStep)).toBeLessThan(tolerance);
  });

  it("prepares a step before its input is known", async () => {
    const { asking, serving, dealing } = await openParties();
    await Promise.all([asking.query(rawOf(features), askPrompt), serving.serve()]);

    const served = serving.serve();
    await asking.prepare(askFirstStep);
    const answer = await asking.query(rawOf(rowAt(features, prompt)), askFirstStep);
    await served;

    expect(answer.at).toEqual(askFirstStep);
    expect(largestError(outputOf(answer), rowAt(expectedWindow(), prompt))).toBeLessThan(tolerance);
    await Promise.all([asking.end(), serving.serve(), dealing]);
  });

  it("is over once it has failed, and keeps nothing", async () => {
    const { asking, serving, dealing, server, dealers } = await openParties();
    await Promise.all([asking.query(rawOf(features), askPrompt), serving.serve()]);

    const failing = asking.query(rawOf(rowAt(features, prompt)), askFirstStep);
    await server.close(sessionError("closed", { peer: "client" }));

    await expect(failing).rejects.toThrow();
    await expect(asking.query(rawOf(features), askPrompt)).rejects.toThrow("this session failed before");
    await Promise.all(dealers.map((channel) => channel.close(sessionError("closed", { peer: channel.peer }))));
    await expect(dealing).rejects.toThrow();
  });

  it.each([
    { what: "a place that was skipped", program: stepProgram, position: prompt + 1 },
    { what: "a place that is there", program: stepProgram, position: prompt - 1 },
    { what: "a fourth program", program: 3, position: prompt },
    { what: "a place after nothing", program: stepProgram, position: 0 },
    { what: "a window of more text than it has rows", program: windowProgram, position: length + 1 },
  ])("refuses $what", async ({ program, position }) => {
    const running = runQuestions(features, [askPrompt, { program, position }]);

    await expect(running).rejects.toThrow(
      `asks about position ${position} of program ${program}, but ${prompt} positions are cached`,
    );
  });
});

describe("a session that begins with a shorter window", () => {
  const askShortPrompt = { program: shortProgram, position: prompt };

  it("computes the rows of the window, and goes on in the same way", async () => {
    const expected = expectedWindow();

    const { results } = await runQuestions(features, [askShortPrompt, ...askSteps]);

    const [begun, ...steps] = results.map(outputOf);
    const firstRows = rows(expected, 1, 0, shortLength);
    expect(begun!.shape).toEqual(firstRows.shape);
    expect(largestError(begun!, firstRows)).toBeLessThan(tolerance);
    for (const [k, { position }] of askSteps.entries()) {
      const row = rowAt(expected, position);
      expect(steps[k]!.shape).toEqual(row.shape);
      expect(largestError(steps[k]!, row)).toBeLessThan(tolerance);
    }
  });

  it("sends what was counted for it, less than the window", async () => {
    const setup = predictSetup([window, next, shorter]).bytes;
    const counted = predict(shorter, prompt);

    const { after } = await runQuestions(features, [askShortPrompt, ...askSteps]);

    expect(minus(after[0]!, setup)).toEqual(addBytes(counted.offline.bytes, counted.online.bytes));
    expect(counted.online.bytes["client→server"]).toBeLessThan(predict(window, prompt).online.bytes["client→server"]);
  });

  it("takes the first rows of each table of positions, and hides what all take alike once", () => {
    const ofAll = predictSetup([window, next, shorter]).bytes;
    const ofWindow = predictSetup([window]).bytes;

    expect(shorter.weights.positions).toEqual(next.weights.positions);
    expect(ofAll["server→dealer"]).toBe(ofWindow["server→dealer"]);
  });

  it("keeps no more of the window than it has", async () => {
    const askTooMuch = { program: shortProgram, position: shortLength + 1 };

    const running = runQuestions(features, [askTooMuch]);

    await expect(running).rejects.toThrow("positions are cached");
  });
});

describe("the programs of a model that keeps keys and values", () => {
  it("hide a weight once that both take alike", () => {
    const ofBoth = predictSetup([window, next]).bytes;
    const ofWindow = predictSetup([window]).bytes;

    expect(ofBoth["server→dealer"]).toBe(ofWindow["server→dealer"]);
  });

  it("take a table of positions whole in the window and row by row in a step", () => {
    expect(next.weights.positions).toEqual({ ...window.weights.positions, rowAxis: 1 });
  });

  it("hide a gain for each place in the pad of its own row", () => {
    expect(next.weights.gains).toMatchObject({ form: "known", shape: [1, length, width], rowAxis: 1 });
  });

  it("cost more at a later place, and by attention alone", () => {
    const attention = opsOf(step.state.module)
      .filter(({ name }) => name === "cached-attention")
      .map(({ result }) => result);

    const early = predict(next, 2);
    const late = predict(next, 5);

    const grown = [...late.dealerByOperator.keys()].filter(
      (label) => late.dealerByOperator.get(label) !== early.dealerByOperator.get(label),
    );
    expect(grown.length).toBeGreaterThan(0);
    expect(attention).toEqual(expect.arrayContaining(grown));
    expect(late.online.bytes["client→server"]).toBeGreaterThan(early.online.bytes["client→server"]);
  });

  it.each([1, 4])("cost the same at place %i by the module that the dealer service executes", (place) => {
    const executed = programFromPlan(stepPlan, facts.hash);

    const counted = predict(executed, place);

    expect(counted).toEqual(predict(next, place));
  });

  it("type-check as text", () => {
    const errors = typeErrors(stepText.ts);

    expect(errors).toEqual([]);
  });

  it("say in their text what is kept and read", () => {
    const [name] = step.cached.keys();

    expect(windowText.ts).toContain(`"${name}": { shape: [1, 1, ${length}, 4]`);
    expect(windowText.ts).toContain("past: 0 },");
    expect(stepText.ts).toContain(`past: ${length - 1} },`);
    expect(stepText.ts).toContain(`cached["${name}"]`);
  });

  it("are of a module that prints its cached attention", () => {
    const text = print(step.state.module);

    expect(text).toContain("cached-attention");
  });

  it("keep the same names, widths and scales", () => {
    const names = [...step.cached.keys()];

    expect(Object.keys(next.cached!)).toEqual(names);
    expect(Object.keys(window.cached!)).toEqual(names);
    for (const name of names) {
      const kept = window.cached![name]!;
      const read = next.cached![name]!;
      expect(kept.width).toBe(read.width);
      expect(kept.scale).toBe(read.scale);
    }
  });
});
