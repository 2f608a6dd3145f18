import { expect, test } from "vitest";
import { type Invocation, readOptions } from "../../../compiler/cli/command.ts";
import { readLimits } from "../../../compiler/cli/network-options.ts";

const limits = (options: Readonly<Record<string, string>>, environment: Readonly<Record<string, string>> = {}) =>
  readLimits({ options: readOptions(options), io: { environment } } as unknown as Invocation);

test("a limit comes from its option, or else from its variable", () => {
  expect(limits({})).toEqual({});
  expect(limits({ maxSessions: "3" }, { MARILLC_MAX_SESSIONS: "5", MARILLC_MAX_SESSION_BYTES: "1e9" })).toEqual({
    maxSessions: 3,
    maxSessionBytes: 1e9,
  });
});

test("what is no count is refused, by the name under which it was given", () => {
  expect(() => limits({ maxSessions: "0" })).toThrow('--max-sessions takes an integer of at least 1, found "0"');
  expect(() => limits({}, { MARILLC_WORKERS: "many" })).toThrow(
    'MARILLC_WORKERS takes an integer of at least 0, found "many"',
  );
});
