import { afterAll, beforeAll, expect, test } from "vitest";
import { forget } from "../soak/deployment.ts";
import { openSetup, type Setup, scenarios, shortSize } from "../soak/scenarios.ts";
import { requireBuilt } from "./spawned.ts";

/** `npm run soak` runs the same for minutes or hours. */
let setup: Setup;
beforeAll(async () => {
  requireBuilt();
  setup = await openSetup(shortSize);
});
afterAll(async () => {
  await setup.at.stop();
  forget(setup.tiny);
});

const shortened = scenarios.flatMap(({ name, run, short = run }) => (short ? [{ name, short }] : []));

test.each(shortened)("a server and a dealer as processes: $name", async ({ short }) => {
  // How fast they answer is a measurement: `npm run soak` judges it.
  const { wrong, right, failed } = await short(setup);
  expect(wrong).toBe(0);
  expect(right).toBeGreaterThan(0);
  expect(failed).not.toContain("hung");
});
