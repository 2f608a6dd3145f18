import { expect, test } from "vitest";
import { receiveProgram, sendProgram } from "../../../compiler/services/program-frame.ts";
import type { SessionError } from "../../../runtime/core/errors.ts";
import { memoryPair } from "../../../runtime/transport/memory-channel.ts";

const artefacts = "0".repeat(64);
const setting = "2pc-dealer";

const refusalOf = (work: Promise<unknown>): Promise<SessionError> =>
  work.then(
    () => expect.fail("accepted"),
    (error) => error,
  );

test("a text that is too long is refused on its header, before it is received (MRL0709)", async () => {
  const [server, dealer] = memoryPair("server", "dealer");
  const sending = sendProgram(server, { setting, artefacts, program: "" }, "x".repeat(600), ["y".repeat(600)]);
  const error = await refusalOf(receiveProgram(dealer, 1000));
  expect(error).toMatchObject({ code: "MRL0709", help: expect.stringContaining("--max-program-bytes") });
  expect(dealer.received.framingBytes).toBeLessThan(200);
  await sending;
});

test("a text that is as long as it may be is received whole", async () => {
  const [server, dealer] = memoryPair("server", "dealer");
  const [sent, received] = await Promise.all([
    sendProgram(server, { setting, artefacts, program: "" }, "x".repeat(600), ["y".repeat(400)]),
    receiveProgram(dealer, 1000),
  ]);
  expect(sent).toBeUndefined();
  expect(received.texts).toEqual({ setting, programs: [new Uint8Array(600).fill(120), new Uint8Array(400).fill(121)] });
  expect(received.agreement).toMatchObject({ setting, artefacts });
});
