import { type SessionError, sessionError } from "../../runtime/core/index.ts";
import { aroundChannel, type Channel } from "../../runtime/transport/index.ts";
import type { Admission, Turn } from "./admission.ts";
import type { ServiceLimits } from "./service-limits.ts";

/** After this wait for its peer a session lets others compute, if some want to. A round trip is shorter. */
const yieldAfterMs = 250;

/** Watches one session: its time, its bytes, its computing, and whose turn it is. */
export interface SessionGuard {
  /**
   * Counts the bytes of a channel. Each wait on it gives the turn to others. `makesRoom`: whoever is silent there for
   * long also makes room for new sessions.
   */
  readonly around: (channel: Channel, makesRoom: boolean) => Channel;
  /** Any other wait for another party: it gives the turn to others as well. */
  readonly whileWaiting: <T>(work: Promise<T>) => Promise<T>;
  readonly onCompute: (ms: number) => void;
  /** The session is over: no timer is left. */
  readonly end: () => void;
}

/** `stop` ends the session with a reason. */
export function guardSession(
  { maxSessionSeconds, maxSessionBytes, maxSessionCompute }: ServiceLimits,
  { isContended }: Pick<Admission, "isContended">,
  turn: Turn,
  stop: (reason: SessionError) => void,
): SessionGuard {
  const over = (what: string, option: string): void => stop(sessionError("sessionLimit", { what, option }));
  const watched: Channel[] = [];
  let computedMs = 0;
  let yielded = false;
  let resuming: Promise<void> | undefined;
  const total = setTimeout(
    () => over(`${maxSessionSeconds} s`, "--max-session-seconds"),
    Math.min(2 ** 31 - 1, maxSessionSeconds * 1000),
  );
  const countBytes = (): void => {
    const bytes = watched.reduce(
      (sum, { sent, received }) =>
        sum + sent.payloadBytes + sent.framingBytes + received.payloadBytes + received.framingBytes,
      0,
    );
    if (bytes > maxSessionBytes) over(`${maxSessionBytes} bytes`, "--max-session-bytes");
  };
  /** Two waits of one session come back together: a turn is asked for once. */
  const resume = async (): Promise<void> => {
    resuming ??= turn.resume().finally(() => {
      yielded = false;
      resuming = undefined;
    });
    await resuming;
  };
  /** While it waits for another party, others compute. */
  const orYield = async <T>(work: Promise<T>, makesRoom: boolean): Promise<T> => {
    const look = (): void => {
      if (yielded || !isContended()) return;
      yielded = true;
      turn.yieldTurn(makesRoom);
    };
    const timer = setInterval(look, yieldAfterMs);
    const result = await work.finally(() => clearInterval(timer));
    if (yielded) await resume();
    return result;
  };
  return {
    around: (channel, makesRoom) => {
      watched.push(channel);
      return aroundChannel(channel, {
        send: async (frame, kind) => {
          await orYield(channel.send(frame, kind), false);
          countBytes();
        },
        receive: async (expected) => {
          const frame = await orYield(channel.receive(expected), makesRoom);
          countBytes();
          return frame;
        },
      });
    },
    whileWaiting: (work) => orYield(work, false),
    onCompute: (ms) => {
      computedMs += ms;
      if (computedMs > maxSessionCompute * 1000) over(`${maxSessionCompute} s of computing`, "--max-session-compute");
    },
    end: () => {
      clearTimeout(total);
      turn.leave();
    },
  };
}
