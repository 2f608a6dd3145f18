import { expect, test } from "vitest";
import type { KnownWeight, MaskedValue } from "../../../runtime/core/party.ts";
import type { Role } from "../../../runtime/core/steps.ts";
import type { WeightDecl } from "../../../runtime/program/program.ts";
import { add, sub } from "../../../runtime/ring/arithmetic.ts";
import { fromIntegers, toIntegers } from "../../../runtime/ring/convert.ts";
import { intTensor, packedBytes } from "../../../runtime/ring/tensor.ts";
import { hiddenBytes, openedBytes, setUpWeights } from "../../../runtime/session/session-weights.ts";

const [shape, width] = [[2, 3], 20] as const;
const numbers = Float64Array.of(-3, 0, 7, 100, -100, 1);
const integers = intTensor(shape, numbers);
const forms = ["known", "fixed", "disclosed", "server", "public"] as const;
const weights = Object.fromEntries(
  forms.map((form): [string, WeightDecl] => [form, { form, tensor: form, shape, width, scale: 0 }]),
);
const [sharedSeed, serverSeed] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const holding = (...names: readonly string[]) => new Map(names.map((name) => [name, integers] as const));

const server = setUpWeights("server", weights, { tensors: holding(...forms), sharedSeed, serverSeed });
const client = setUpWeights("client", weights, {
  tensors: holding("disclosed", "public"),
  sharedSeed,
  received: server.toClient,
});
const dealer = setUpWeights("dealer", weights, { serverSeed, received: server.toDealer });
const all = { client, server, dealer } as const;
const plain = [...toIntegers(fromIntegers(integers, width)).data!];

test("the server sends what was counted, and nobody else sends anything", () => {
  expect(server.toDealer.length).toBe(hiddenBytes(weights));
  expect(server.toDealer.length).toBe(2 * packedBytes(shape, width));
  expect(server.toClient.length).toBe(openedBytes(weights));
  expect(server.toClient.length).toBe(packedBytes(shape, width));
  for (const { toDealer, toClient } of [client, dealer]) expect([toDealer.length, toClient.length]).toEqual([0, 0]);
});

test("a known weight is the dealer's part and a pad that it lacks", () => {
  const [own, theirs, dealt] = (["client", "server", "dealer"] as const).map(
    (role) => all[role].handles.known as KnownWeight,
  );
  expect(own!.pad).toEqual(theirs!.pad);
  expect([...toIntegers(add(own!.pad, dealt!.hidden)).data!]).toEqual(plain);
  const lacked = [own!.hidden, theirs!.hidden, dealt!.pad];
  expect(lacked.map(({ data }) => data)).toEqual([undefined, undefined, undefined]);
  expect([own!.values.data, dealt!.values.data]).toEqual([undefined, undefined]);
});

test("a fixed weight is what the client received and a mask that it lacks", () => {
  const [own, theirs, dealt] = (["client", "server", "dealer"] as const).map(
    (role) => all[role].handles.fixed as MaskedValue,
  );
  expect(own!.opened).toEqual(theirs!.opened);
  expect([...toIntegers(sub(own!.opened, dealt!.mask.secret)).data!]).toEqual(plain);
  const lacked = [own!.mask.secret, theirs!.mask.secret, dealt!.opened];
  expect(lacked.map(({ data }) => data)).toEqual([undefined, undefined, undefined]);
  expect(theirs!.mask.share).toEqual(dealt!.mask.secret);
});

test.each<[string, readonly Role[]]>([
  ["disclosed", ["client", "server", "dealer"]],
  ["public", ["client", "server"]],
  ["server", ["server"]],
])("a %s weight is known to %j alone", (form, knowing) => {
  const found = Object.entries(all).flatMap(([role, { handles }]) => {
    const { data } = handles[form] as typeof integers;
    if (data) expect([...data]).toEqual([...numbers]);
    return data ? [role] : [];
  });
  expect(found).toEqual(knowing);
});
