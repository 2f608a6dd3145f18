import { expect, test } from "vitest";
import { decodeRequest, encodeRequest, isRecordName, maxRequestBytes } from "../../runtime/session/requests.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test("a request arrives as it was made, with its record or without", () => {
  for (const record of [undefined, "alice", "2026-11.row_7"]) {
    const request = {
      kind: "query",
      query: 3,
      at: { program: 1, position: 40 },
      ...(record !== undefined && { record }),
    };
    expect(decodeRequest(encodeRequest(request as Parameters<typeof encodeRequest>[0]), "client")).toEqual(request);
  }
});

test("the longest request fits its frame", () => {
  const large = Number.MAX_SAFE_INTEGER;
  const at = { program: large, position: large };
  const record = "r".repeat(64);
  expect(encodeRequest({ kind: "query", query: large, at, record }).length).toBeLessThanOrEqual(maxRequestBytes);
});

test.each([
  "..",
  ".hidden",
  "../up",
  "a/b",
  "a\\b",
  "",
  " ",
  "a b",
  "ä",
  "a".repeat(65),
  "-x",
  "a\u0000",
])("a record that may not become a file's name is no request: %j", (record) => {
  expect(isRecordName(record)).toBe(false);
  expect(() => decodeRequest(bytes({ kind: "query", query: 0, record }), "client")).toThrow(
    expect.objectContaining({ code: "MRL0708" }),
  );
});

test.each([1, null, ["alice"], { name: "alice" }, true])("a record is a text: %j", (record) => {
  expect(() => decodeRequest(bytes({ kind: "query", query: 0, record }), "client")).toThrow(
    expect.objectContaining({ code: "MRL0708" }),
  );
});
