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
  expect(await short(setup)).toMatchObject({ wrong: 0, passed: true });
});
