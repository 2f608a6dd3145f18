import { expect, test } from "vitest";
import { type CommandIo, type Invocation, readOptions } from "../../compiler/cli/command.ts";
import { openLog } from "../../compiler/cli/service-log.ts";
import type { LogFields } from "../../compiler/services/service-log.ts";

/** The log of `serve` and `deal`, as it goes to stderr. */
async function logged(
  options: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
  lines: readonly (readonly [string, LogFields?])[],
): Promise<readonly string[]> {
  const written: string[] = [];
  const io = { environment, err: (text: string) => void written.push(text) } as unknown as CommandIo;
  const log = await openLog({ options: readOptions(options), io } as Invocation);
  for (const [line, about] of lines) log(line, about);
  return written;
}

const failed: LogFields = {
  event: "failed",
  level: "warn",
  code: "MRL0701",
  peer: "client.alice",
  address: "10.0.0.2",
  session: "1a2b3c4d",
};

test("text has time, level and whom it is about, on one line without control characters", async () => {
  const [line, other] = await logged({}, {}, [
    ["failed: MRL0701 the client left", failed],
    ["warning MRL0735: a key\n  at  there\u001b[2J", { event: "warning", level: "error" }],
  ]);
  expect(line).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}failed: MRL0701 the client left \(client\.alice, 10\.0\.0\.2, session 1a2b3c4d\)\n$/,
  );
  expect(other).toMatch(/ error warning MRL0735: a key; at {2}there\\u001b\[2J\n$/);
});

test("JSON has the same in fields", async () => {
  const [line] = await logged({ logFormat: "json" }, {}, [["failed: MRL0701 the client left", failed]]);
  const { time, ...rest } = JSON.parse(line!) as Record<string, unknown>;
  expect(rest).toEqual({ ...failed, message: "failed: MRL0701 the client left" });
  expect(new Date(time as string).getTime()).toBeGreaterThan(Date.now() - 60_000);
});

test("the level leaves out what is below it, the option before the variable", async () => {
  const lines = [
    ["a", { event: "left", level: "debug" }],
    ["b", { event: "answered" }],
    ["c", failed],
  ] as const;
  const shown = async (options: Record<string, string>, environment: Record<string, string>) =>
    (await logged(options, environment, lines)).map((line) => / ([abc])(?: \(.*)?\n$/.exec(line)![1]).join("");
  expect(await shown({}, {})).toBe("bc");
  expect(await shown({ logLevel: "debug" }, { MARILLC_LOG_LEVEL: "error" })).toBe("abc");
  expect(await shown({}, { MARILLC_LOG_LEVEL: "warn" })).toBe("c");
  await expect(logged({}, { MARILLC_LOG_LEVEL: "loud" }, [])).rejects.toThrow("MARILLC_LOG_LEVEL takes debug");
  await expect(logged({ logFormat: "xml" }, {}, [])).rejects.toThrow("--log-format takes text, json");
});
