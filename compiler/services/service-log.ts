/** From what nobody needs to know to what somebody must look at. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What happened, as logs and metrics name it. */
export type ServiceEvent =
  | "listening"
  | "answered"
  | "dealt"
  | "alone"
  | "failed"
  | "refused"
  | "dropped"
  | "left"
  | "input"
  | "unsaved"
  | "warning"
  | "reloaded"
  | "stopping"
  | "stopped";

/**
 * A line of a service's log, in fields. Nothing of it is secret: names of parties, addresses, codes and counts, and never
 * a value, a share or a key.
 */
export interface LogFields {
  readonly event: ServiceEvent;
  /** Default: info. */
  readonly level?: LogLevel;
  readonly code?: string;
  /** `client`, or `client.alice`. */
  readonly peer?: string;
  readonly address?: string;
  /** The first digits of its id. */
  readonly session?: string;
  readonly queries?: number;
  readonly seconds?: number;
}

/** Takes a line, and the same in fields. */
export type ServiceLog = (line: string, about?: LogFields) => void;
