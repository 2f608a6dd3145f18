import { describe, expect, it } from "vitest";
import * as protocolProbes from "./probes.ts";
import * as sessionProbes from "./session-probes.ts";

// In a file of its own, so that `npm run mutate` can run the probes over mutants of its own.
describe("the sources pass", () => {
  const names = <T extends string>(probes: Readonly<Record<T, unknown>>) => Object.keys(probes) as T[];
  it.each(names(protocolProbes.probes))("%s", async (name) => expect(await protocolProbes.probe(name)).toBe(false));
  it.each(names(sessionProbes.probes))("%s", async (name) => expect(await sessionProbes.probe(name)).toBe(false));
});
