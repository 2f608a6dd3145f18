import { partyLabels } from "../build/index.ts";
import { type LocalSession, type RunResult, roundTimes } from "../run/index.ts";

type SessionReport = Required<Pick<RunResult, "queries" | "predicted" | "measured">>;

/** What a session on this machine cost, predicted and measured, by the names that parties have in its setting. */
export function sessionReport(
  setting: string,
  { predicted, measured, framingBytes, seconds, peakMegabytes, queries }: Awaited<ReturnType<LocalSession["end"]>>,
): SessionReport {
  const labels = partyLabels(setting);
  return {
    queries,
    predicted: { ...predicted, bytes: labels.bytes(predicted.bytes) },
    measured: {
      ...measured,
      bytes: labels.bytes(measured.bytes),
      framingBytes,
      seconds: roundTimes(seconds),
      peakMegabytes: labels.perRole(peakMegabytes),
    },
  };
}
