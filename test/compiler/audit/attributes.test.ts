import { describe, expect, test } from "vitest";
import { attributeProblems, maxListLength } from "../../../compiler/audit/attributes.ts";
import { parseMir } from "../../../compiler/audit/parse-mir.ts";
import type { Literal } from "../../../compiler/audit/token-reader.ts";
import { registry } from "../../../ir/registry.ts";
import { print } from "../../../ir/text/print.ts";
import { protocols } from "../../../runtime/protocols/registry.ts";
import { specsOf } from "../../harness/spec-table.ts";
import { module } from "../../targets/programs.ts";

/** A value of each kind of attribute that the IR knows, and values that are none. */
const samples: Readonly<Record<string, { readonly good: Literal; readonly bad: readonly Literal[] }>> = {
  int: { good: 3, bad: [0.5, 2 ** 40, "3", [3]] },
  float: { good: 1e-5, bad: ["x", Number.NaN, [1]] },
  bool: { good: true, bad: [1, "true", []] },
  ints: { good: [1, 2], bad: [3, [0.5], Array(maxListLength + 1).fill(1), ["a"]] },
  floats: { good: [0.5], bad: [1, ["x"], Array(maxListLength + 1).fill(0.5)] },
  string: { good: "", bad: ["a sentence", 1] },
};

describe("attributes that program.mir may have", () => {
  test.each([...registry.values()].map((def) => [def.name, def.attrs ?? {}] as const))("%s", (name, attrs) => {
    for (const [attribute, { kind }] of Object.entries(attrs)) {
      const { good, bad } = samples[kind]!;
      if (kind !== "string")
        expect([attribute, attributeProblems(name, { [attribute]: good })]).toEqual([attribute, []]);
      for (const each of bad) expect([each, attributeProblems(name, { [attribute]: each })]).not.toEqual([each, []]);
    }
    expect(attributeProblems(name, { weights: [0.25] })).toEqual([`attributes of ${name} alone, without weights`]);
    expect(attributeProblems(name, { comparison: "dpf", radix: 4 })).toEqual([]);
  });
});

test("every tuning of a protocol passes", () => {
  for (const protocol of protocols.values()) {
    for (const spec of specsOf(protocol).specs.slice(0, 4)) {
      for (const tuning of protocol.variants?.(spec) ?? []) {
        const found = attributeProblems(protocol.implements, tuning as Readonly<Record<string, Literal>>);
        expect([protocol.name, tuning, found]).toEqual([protocol.name, tuning, []]);
      }
    }
  }
});

/** As the compiler writes it, without comments. */
const mir = print(module);

/** What carries something that nobody reads, in one place of the golden module each. */
const carriers: Readonly<Record<string, readonly [from: RegExp | string, to: string]>> = {
  "an attribute that no operator has": ["{ to = ", "{ weights = [0.25, 0.5], to = "],
  "a list where a number belongs": [/\{ by = (\d+) \}/, "{ by = [$1, 5, 7] }"],
  "an attribute twice": [/\{ by = (\d+) \}/, "{ by = 3, by = $1 }"],
  "a number with another spelling": [/\{ by = (\d+) \}/, "{ by = 0$1 }"],
  "spaces that nobody needs": ["stage schedule", "stage  schedule"],
  "an indentation of its own": ["\n  input", "\n   input"],
};

test.each(Object.entries(carriers))("%s is refused", (_, [from, to]) => {
  expect(parseMir(mir).name).toBe("gated");
  const edited = mir.replace(from, to);
  expect(edited).not.toBe(mir);
  expect(() => parseMir(edited)).toThrow();
});

test("a param that nothing takes, and one that comes twice, are refused", () => {
  const param = /\n {2}param [^\n]*/.exec(mir)![0];
  expect(() => parseMir(mir.replace(param, param + param))).toThrow("once before it");
  expect(() => parseMir(mir.replace(param, `${param}${param.replace(/%\S+ :/, "%unused :")}`))).toThrow(
    "takes %unused",
  );
});
