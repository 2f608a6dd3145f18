import { afterEach, expect, test, vi } from "vitest";
import { type Admission, createAdmission, type Turn } from "../../../compiler/services/admission.ts";
import { limitsOf } from "../../../compiler/services/service-limits.ts";
import type { SessionError } from "../../../runtime/core/errors.ts";

const never = new Promise<never>(() => {});
const enter = (
  admission: Admission,
  { identity = "one", left = never, drop = () => {} }: Partial<Parameters<Admission["enter"]>[0]> = {},
): Promise<Turn> => admission.enter({ identity, left, drop });

/** Whether the promise is settled once everything that can happen has happened. */
async function isSettled(work: Promise<unknown>): Promise<boolean> {
  let settled = false;
  work.then(
    () => (settled = true),
    () => (settled = true),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}
const refusal = (work: Promise<unknown>): Promise<SessionError> =>
  work.then(
    () => expect.fail("entered"),
    (error) => error,
  );

afterEach(() => void vi.useRealTimers());

test("sessions compute in the order in which they came, as many as the limit says", async () => {
  const admission = createAdmission(limitsOf({ maxSessions: 2 }), "server");
  const [first] = [await enter(admission), await enter(admission)];
  const [third, fourth] = [enter(admission), enter(admission)];
  expect(admission.counts()).toEqual({ computing: 2, waiting: 2 });
  expect(await isSettled(third)).toBe(false);
  expect(admission.isContended()).toBe(true);
  first.leave();
  expect(await isSettled(third)).toBe(true);
  expect(await isSettled(fourth)).toBe(false);
  first.leave();
  (await third).leave();
  await fourth;
  expect(admission.isContended()).toBe(false);
});

test("a session that waits for its peer lets the next one compute, and comes before later ones again", async () => {
  const admission = createAdmission(limitsOf({ maxSessions: 1 }), "server");
  const first = await enter(admission);
  const second = enter(admission);
  first.yieldTurn(true);
  const turn = await second;
  const third = enter(admission);
  const resumed = first.resume();
  turn.leave();
  expect(await isSettled(resumed)).toBe(true);
  expect(await isSettled(third)).toBe(false);
});

test("a full service is busy (MRL0740), and says when to ask again", async () => {
  const admission = createAdmission(limitsOf({ maxSessions: 1, maxWaiting: 1 }), "dealer");
  await enter(admission);
  void enter(admission);
  const error = await refusal(enter(admission));
  expect(error).toMatchObject({ reason: "busy", code: "MRL0740" });
  expect(error.retryAfterSeconds).toBeGreaterThanOrEqual(1);
});

test("a certificate has its own limit, and does not take the room of others", async () => {
  const admission = createAdmission(limitsOf({ maxSessions: 8, maxPerIdentity: 2 }), "server");
  await enter(admission);
  await enter(admission);
  expect((await refusal(enter(admission))).reason).toBe("busy");
  await enter(admission, { identity: "another" });
});

test("a session whose peer leaves gives its room back while it waits", async () => {
  const admission = createAdmission(limitsOf({ maxSessions: 1, maxWaiting: 1 }), "server");
  await enter(admission);
  let leave = (): void => {};
  const gone = enter(admission, { left: new Promise<void>((resolve) => (leave = resolve)) });
  leave();
  expect((await refusal(gone)).reason).toBe("peerLeft");
  expect(admission.counts()).toEqual({ computing: 1, waiting: 0 });
});

test("where all room is taken, the session that is silent for longest makes room (MRL0741)", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const admission = createAdmission(limitsOf({ maxSessions: 1, maxWaiting: 1 }), "server");
  const reasons: SessionError[] = [];
  const silent = await enter(admission, { drop: (reason) => reasons.push(reason) });
  silent.yieldTurn(true);
  const second = await enter(admission);
  expect((await refusal(enter(admission))).reason).toBe("busy");
  vi.advanceTimersByTime(10_000);
  const third = enter(admission);
  expect(reasons).toMatchObject([{ code: "MRL0741" }]);
  second.leave();
  await third;
});
