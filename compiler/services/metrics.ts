import type { Role } from "../../runtime/core/index.ts";
import { version } from "../build/index.ts";
import type { ServiceStatus } from "./service.ts";
import type { LogFields } from "./service-log.ts";

/** Counts what a service does, for Prometheus. Labels are codes and roles: a peer can add no series. */
export interface Metrics {
  readonly count: (about: LogFields) => void;
  /** The service, once it runs, and the end of its own certificate. */
  readonly watch: (status: () => ServiceStatus) => void;
  readonly certificateUntil: (date: Date) => void;
  readonly contentType: string;
  readonly text: () => Promise<string>;
}

const secondBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** Loads the library on demand: only a service with `--health` pays for it. */
export async function createMetrics(role: Role): Promise<Metrics> {
  const { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } = (await import("prom-client")).default;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  let status: () => ServiceStatus = () => ({ computing: 0, waiting: 0, isStopping: false });
  const gauge = (name: string, help: string, read: (now: ServiceStatus) => number): void => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read(status()));
      },
    });
  };
  gauge("marillc_sessions_computing", "Sessions that compute now.", ({ computing }) => computing);
  gauge("marillc_sessions_waiting", "Sessions that wait for their turn or their peer.", ({ waiting }) => waiting);
  gauge("marillc_stopping", "1 while the service takes no new sessions.", ({ isStopping }) => Number(isStopping));
  const info = new Gauge({
    ...{ name: "marillc_info", help: "The version, and the role of this party.", registers },
    labelNames: ["version", "role"],
  });
  info.set({ version, role }, 1);
  const until = new Gauge({
    ...{ name: "marillc_certificate_expires_seconds", help: "When the own certificate ends, as Unix time.", registers },
  });
  const sessions = new Counter({
    ...{ name: "marillc_sessions_total", help: "Sessions that ended, by result and code.", registers },
    labelNames: ["result", "code"],
  });
  const queries = new Counter({ name: "marillc_queries_total", help: "Queries that were answered.", registers });
  const refused = new Counter({
    ...{ name: "marillc_refused_total", help: "Connections that were refused or dropped, by code.", registers },
    labelNames: ["code"],
  });
  const unsaved = new Counter({
    ...{ name: "marillc_unsaved_total", help: "Answers that could not be written to a file.", registers },
  });
  const seconds = new Histogram({
    ...{ name: "marillc_session_seconds", help: "Time of sessions that were answered.", registers },
    buckets: secondBuckets,
  });
  const answered = (about: LogFields): void => {
    sessions.inc({ result: "answered", code: "" });
    queries.inc(about.queries ?? 0);
    seconds.observe(about.seconds ?? 0);
  };
  const counters: Readonly<Partial<Record<LogFields["event"], (about: LogFields) => void>>> = {
    answered,
    dealt: answered,
    alone: () => sessions.inc({ result: "failed", code: "alone" }),
    failed: ({ code = "" }) => sessions.inc({ result: "failed", code }),
    refused: ({ code = "" }) => refused.inc({ code }),
    dropped: () => refused.inc({ code: "dropped" }),
    unsaved: () => unsaved.inc(),
  };
  return {
    count: (about) => counters[about.event]?.(about),
    watch: (read) => {
      status = read;
    },
    certificateUntil: (date) => until.set(date.getTime() / 1000),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
