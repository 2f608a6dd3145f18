import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { marillc, marillcJson } from "../../cli/run-cli.ts";
import { smallModel } from "../onnx/format/build-model.ts";

const dir = mkdtempSync(join(tmpdir(), "marillc-student-"));
afterAll(() => rmSync(dir, { recursive: true }));

const base = resolve(import.meta.dirname, "../../../fixtures/date-llama/base-ts17.onnx");

interface Rewritten {
  readonly files: Readonly<Record<string, string>>;
  readonly manifest: { readonly source: string };
}
interface Failed {
  readonly error: readonly { readonly code: string }[];
}

describe("marillc rewrite with heads to merge and low-rank changes", () => {
  const changes = ["--freeze 0.5", "--lora-rank 8", "--merge-heads 2", "--grouping similarity"];
  const out = join(dir, "cli", "student.onnx");
  let code: number;
  let rewritten: Rewritten;
  beforeAll(async () => {
    const flags = changes.flatMap((change) => change.split(" "));
    const result = await marillcJson<Rewritten>("rewrite", base, ...flags, "-o", out);
    code = result.code;
    rewritten = result.json;
  });

  it("writes the student and its manifest", () => {
    const { files, manifest } = rewritten;

    expect(code).toBe(0);
    expect(Object.keys(files)).toEqual(["model", "data", "manifest"]);
    for (const path of Object.values(files)) expect(existsSync(path)).toBe(true);
    expect(JSON.parse(readFileSync(files.manifest!, "utf8"))).toEqual(manifest);
  });

  it("puts the tokenizer beside it, as text is generated with it once it is tuned", () => {
    expect(existsSync(join(dir, "cli", "tokenizer.json"))).toBe(true);
  });

  it("has its manifest shown by inspect as JSON", async () => {
    const shown = await marillcJson<{ manifest: unknown }>("inspect", rewritten.files.manifest!);

    expect(shown.json.manifest).toEqual(rewritten.manifest);
  });

  it("has its changes shown by inspect as text", async () => {
    const { out: text } = await marillc("inspect", rewritten.files.manifest!);

    expect(text).toContain("3 of 6 frozen");
    expect(text).toContain("tune it before");
    expect(text).toContain("0+2 1+3");
    expect(text).toContain("rank 8");
  });
});

describe("marillc inspect", () => {
  it("refuses a manifest that says nothing", async () => {
    const empty = join(dir, "wrong.manifest.json");
    writeFileSync(empty, "{}");

    const { code, json } = await marillcJson<Failed>("inspect", empty);

    expect(code).toBe(1);
    expect(json.error[0]!.code).toBe("MRL0687");
  });
});

describe("marillc rewrite onto its source", () => {
  it("is refused, and the source stays as it was", async () => {
    mkdirSync(join(dir, "same"));
    const source = join(dir, "same", "small.onnx");
    writeFileSync(source, smallModel());

    const { code, json } = await marillcJson<Failed>("rewrite", source, "-o", source);

    expect(code).toBe(1);
    expect(json.error[0]!.code).toBe("MRL0685");
    expect(new Uint8Array(readFileSync(source))).toEqual(new Uint8Array(smallModel()));
  });
});
