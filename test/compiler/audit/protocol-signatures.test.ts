import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { localShapes } from "../../../compiler/audit/local-shapes.ts";
import { allowedFiles } from "../../../compiler/audit/party-files.ts";
import { exportNameOf, protocolSignatures } from "../../../compiler/audit/protocol-signatures.ts";
import { tokenizerFileNames } from "../../../compiler/inputs/tokenizer.ts";
import { opDef } from "../../../ir/registry.ts";
import { local } from "../../../runtime/program/local-ops.ts";
import * as registry from "../../../runtime/protocols/index.ts";
import type { OperandForm, Protocol } from "../../../runtime/protocols/kit/define-protocol.ts";

const folder = join(import.meta.dirname, "../../../compiler/audit");

test("the checker imports nothing of the compiler, the passes, the targets or the runtime", () => {
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), "utf8");
    const imports = [...text.matchAll(/^(?:import|export|\}) [^;]*?from "([^"]+)";$/gm)].map(
      ([, specifier]) => specifier!,
    );
    const foreign = imports.filter((from) => !from.startsWith("./") && !["node:crypto", "onnx-proto"].includes(from));
    expect({ name, foreign }).toEqual({ name, foreign: [] });
  }
});

describe("the table of trusted protocols", () => {
  const exported = Object.entries(registry) as readonly (readonly [string, Protocol])[];

  test("has a row for every protocol, and no other", () => {
    expect([...protocolSignatures.keys()].sort()).toEqual(exported.map(([name]) => name).sort());
  });

  test.each(exported)("%s takes and gives the forms of its row", (name, protocol) => {
    const { operands, result, settings } = protocolSignatures.get(name)!;
    const { forms, yields, family, implements: operator } = protocol;
    expect(exportNameOf(protocol.name)).toBe(name);
    expect(settings).toEqual(protocol.settings);
    // For an operand that is `public` to the runtime, the row says whether only the client has it.
    const plain = operands.map((form) => (form === "client" ? "public" : form));
    const most = Math.max(plain.length, forms.length);
    const at = <T>(list: readonly T[], place: number): T => list[Math.min(place, list.length - 1)]!;
    for (let place = 0; place < most; place++) expect(at<string>(plain, place)).toBe(at<OperandForm>(forms, place));
    const shared = family === "replicated" ? "replicated" : "share";
    const opens = operator === "reveal" ? "opened" : yields === "masked" ? "masked" : shared;
    expect(result).toBe(opens);
  });

  test("the client's integers go only to sharing, and to lookups that hide the indices", () => {
    const taking = [...protocolSignatures]
      .filter(([, { operands }]) => operands.includes("client"))
      .map(([name]) => name);
    expect(taking.sort()).toEqual(["privateLookup", "replicatedShare", "seededShare"]);
    const implemented = taking.map((name) => (registry as Readonly<Record<string, Protocol>>)[name]!.implements);
    expect(implemented).toEqual(["gather", "share", "share"]);
  });

  test("only reveals open", () => {
    const opening = exported.filter(([name]) => protocolSignatures.get(name)!.result === "opened");
    expect(opening.map(([, protocol]) => protocol.implements)).toEqual(["reveal", "reveal"]);
  });
});

describe("the shape rules of local operators", () => {
  test("has a rule for every local operator, and no other", () => {
    expect([...localShapes.keys()].sort()).toEqual(Object.keys(local).sort());
  });

  const windows = { strides: [2, 1], pads: [1, 0, 1, 2], dilations: [1, 2] };
  const cases: readonly (readonly [string, readonly (readonly number[])[], Record<string, unknown>])[] = [
    [
      "add",
      [
        [2, 1, 3],
        [4, 1],
      ],
      {},
    ],
    ["sub", [[5], [5]], {}],
    ["mul", [[2, 3], []], {}],
    ["neg", [[2, 3]], {}],
    [
      "rope",
      [
        [1, 2, 4, 6],
        [4, 6],
        [1, 1, 4, 6],
      ],
      {},
    ],
    [
      "matmul",
      [
        [2, 1, 3, 4],
        [5, 4, 7],
      ],
      {},
    ],
    [
      "matmul",
      [
        [3, 4],
        [4, 2],
      ],
      {},
    ],
    [
      "conv",
      [
        [1, 4, 9, 8],
        [6, 2, 3, 2],
      ],
      { ...windows, group: 2 },
    ],
    ["sum-pool", [[1, 4, 9, 8]], { ...windows, kernel: [3, 2] }],
    ["transpose", [[2, 3, 4]], { perm: [2, 0, 1] }],
    ["reshape", [[2, 6]], { shape: [3, 4] }],
    ["expand", [[2, 1, 3]], { shape: [4, 2, 5, 3] }],
    ["slice", [[10, 7]], { starts: [1, 0], ends: [10, 7], steps: [4, 2] }],
    ["reduce-sum", [[2, 3, 4]], { axes: [0, -1], keepdims: true }],
    ["reduce-sum", [[2, 3, 4]], { axes: [1], keepdims: false }],
    [
      "concat",
      [
        [2, 3],
        [2, 5],
        [2, 1],
      ],
      { axis: -1 },
    ],
    [
      "gather",
      [
        [4, 5, 6],
        [2, 2],
      ],
      { axis: -2 },
    ],
    ["narrow", [[3]], { width: 8 }],
    ["cumsum", [[2, 3]], { axis: -1 }],
    ["trilu", [[4, 2, 3]], { upper: false, diagonal: -1 }],
  ];
  test.each(cases)("%s of %j has the shape that the IR infers", (name, shapes, attrs) => {
    const inferred = opDef(name).shape(shapes, attrs as never);
    expect(localShapes.get(name)!(shapes, attrs as never, inferred)).toEqual(inferred);
  });

  test("every rule is among the cases", () => {
    expect(new Set(cases.map(([name]) => name))).toEqual(new Set([...localShapes.keys()]));
  });

  test("operands that do not fit have no shape", () => {
    const none: readonly (readonly [
      string,
      readonly (readonly number[])[],
      Record<string, unknown>,
      readonly number[],
    ])[] = [
      ["add", [[2], [3]], {}, [3]],
      [
        "matmul",
        [
          [2, 3],
          [4, 2],
        ],
        {},
        [2, 2],
      ],
      ["reshape", [[2, 6]], {}, [13]],
      ["expand", [[2, 3]], {}, [2, 6]],
      ["transpose", [[2, 3]], { perm: [0, 0] }, [2, 2]],
      [
        "concat",
        [
          [2, 3],
          [3, 3],
        ],
        { axis: 1 },
        [2, 6],
      ],
      [
        "rope",
        [
          [4, 6],
          [8, 6],
          [8, 6],
        ],
        {},
        [8, 6],
      ],
    ];
    for (const [name, shapes, attrs, said] of none) {
      expect([name, localShapes.get(name)!(shapes, attrs as never, said)]).toEqual([name, undefined]);
    }
  });
});

test("the client's folder may hold the tokenizer that the compiler puts there", () => {
  expect(allowedFiles.get("client")).toEqual(expect.arrayContaining([...tokenizerFileNames]));
});
