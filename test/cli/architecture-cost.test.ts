import { expect, test } from "vitest";
import type { CostReport } from "../../compiler/report/cost/cost-report.ts";
import { marillc, marillcJson } from "./run-cli.ts";

/** `cost --architecture`: known architectures without weights. */
interface Errors {
  readonly error: readonly { readonly code: string; readonly message: string; readonly help: string }[];
}
const shape = (name: string, ...more: readonly string[]): readonly string[] => [
  "cost",
  "--architecture",
  name,
  ...more,
];
const sized = (...more: readonly string[]): readonly string[] => shape("bert-tiny", "--dim", "seq=4", ...more);

test.each([
  ["an unknown architecture", shape("bert-huge", "--dim", "seq=4"), "MRL0830", "bert-tiny, bert-base"],
  ["a model file beside it", ["cost", "model.onnx", ...sized().slice(1)], "MRL0831", "leave out one of the two"],
  ["what is said of a model file", sized("--adapter", "lora"), "MRL0831", "leave out one of the two"],
  ["inputs of a model", sized("--input", "x:client"), "MRL0831", "leave out one of the two"],
  ["two ownerships", sized("--private", "all", "--private", "layers"), "MRL0831", "leave out one of the two"],
  ["a setting that is not built", sized("--setting", "2pc"), "MRL0831", "leave out one of the two"],
  ["an unknown phase", sized("--phase", "train"), "MRL0832", "give --phase prefill, or --phase decode"],
  ["decoding with a model that reads", shape("bert-tiny", "--phase", "decode"), "MRL0832", "--phase prefill"],
  ["a prompt without length", shape("gpt2"), "MRL0833", "--dim seq=128"],
  ["decoding without context", shape("gpt2", "--phase", "decode"), "MRL0833", "--dim context=128"],
  ["an unknown dimension", sized("--dim", "batch=2"), "MRL0833", "seq and context"],
  ["an unknown system", sized("--preset", "delphi"), "MRL0834", "known: marill, crypten"],
  ["a system of another setting", sized("--preset", "puma"), "MRL0834", "--setting 3pc"],
  [
    "a system that keeps no keys",
    shape("gpt2", "--phase", "decode", "--dim", "context=4", "--preset", "sigma"),
    "MRL0834",
    "--phase prefill",
  ],
  ["an unknown objective", sized("--objective", "rounds"), "MRL0650", "supported: time, online, total"],
])("%s is refused with a code and help", async (_, argv, code, help) => {
  const { code: exit, json } = await marillcJson<Errors>(...argv);
  expect(exit).toBe(code === "MRL0650" ? 2 : 1);
  expect(json.error.map((each) => each.code)).toEqual([code]);
  expect(json.error[0]!.help).toContain(help);
});

test("all that does not fit is refused at once", async () => {
  const { json } = await marillcJson<Errors>(
    ...shape("bert-huge", "--head", "logits", "--preset", "delphi", "--objective", "rounds"),
  );
  expect(json.error.map(({ code }) => code)).toEqual(["MRL0830", "MRL0831", "MRL0834", "MRL0650"]);
});

test("what is counted is said in JSON and as text", async () => {
  const { code, json } = await marillcJson<CostReport>(...sized("--link", "lan"));
  expect(code).toBe(0);
  expect(json).toMatchObject({ name: "bert-tiny", setting: "2pc-dealer" });
  expect(json.links!.map(({ link }) => link)).toEqual(["lan"]);
  const { out } = await marillc(...sized("--setting", "3pc", "--preset", "puma"));
  expect(out).toMatch(/^bert-tiny, 3pc: one query/);
  expect(out).toContain("protocols chosen for the least time, the helper's part included, on wan");
});
