import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { costOf } from "../../harness/execute-protocol.ts";
import { leakCases, leakSubjects } from "../../harness/leak-cases.ts";
import { specsOf } from "../../harness/spec-table.ts";

it.each(Object.keys(leakSubjects))("the rows about %s have a test file that runs them", (subject) => {
  const file = new URL(`leaks-${subject}.test.ts`, import.meta.url);
  expect(existsSync(file) && readFileSync(file, "utf8")).toContain(`testLeaks("${subject}")`);
});

describe("a protocol without a row", () => {
  const tested = new Set(leakCases.map(({ protocol }) => protocol));
  const untested = [...protocols.values()].filter((protocol) => !tested.has(protocol));
  it.each(untested)("$name sends nothing, or just the result to whom it is for", (protocol) => {
    if (protocol.implements === "reveal") return;
    const { rounds, ...bytes } = costOf(protocol, specsOf(protocol).specs[0]!);
    expect([rounds, ...Object.values(bytes)].filter((count) => count > 0)).toEqual([]);
  });
});
