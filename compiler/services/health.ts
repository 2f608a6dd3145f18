import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sessionError } from "../../runtime/core/index.ts";
import type { Metrics } from "./metrics.ts";
import type { Endpoint, ServiceStatus } from "./service.ts";

/** What a supervisor asks: on a port of its own, which no peer needs to reach. It has no secret, and no password. */
export interface HealthEndpoint extends Endpoint {
  readonly close: () => Promise<void>;
}

/** A scrape takes milliseconds. Whoever sends a request more slowly, or none, gives its place to others. */
const mostRequestMs = 5_000;
const mostConnections = 64;

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}
const plain = (code: number, text: string): Answer => ({ code, type: "text/plain; charset=utf-8", body: `${text}\n` });

/** Serves `/healthz`, `/readyz` and `/metrics`. @throws SessionError cannotListen */
export async function startHealth(
  { host, port }: Endpoint,
  status: () => ServiceStatus,
  metrics: Metrics,
  requestMs: number = mostRequestMs,
): Promise<HealthEndpoint> {
  const answers: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    // The process answers: whoever gets no answer restarts it.
    "/healthz": () => plain(200, "ok"),
    // It takes new sessions: whoever balances load sends none to a service that is not ready.
    "/readyz": () => {
      const { isStopping, obstacle } = status();
      return isStopping || obstacle ? plain(503, isStopping ? "stopping" : obstacle!) : plain(200, "ready");
    },
    "/metrics": async () => ({ code: 200, type: metrics.contentType, body: await metrics.text() }),
  };
  const send = (response: ServerResponse, { code, type, body }: Answer): void => {
    response.writeHead(code, { "content-type": type, "cache-control": "no-store" }).end(body);
  };
  // Node looks at its deadlines every 30 s unless it is told.
  const deadlines = {
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    connectionsCheckingInterval: requestMs / 5,
  };
  const server = createServer(deadlines, async ({ method, url = "" }, response) => {
    const answer = answers[url.split("?")[0]!];
    if (method !== "GET" && method !== "HEAD") return send(response, plain(405, "GET only"));
    send(response, answer ? await answer() : plain(404, `try ${Object.keys(answers).join(", ")}`));
  });
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", ({ code = "" }: NodeJS.ErrnoException) => {
      const where = `${host}:${port}`;
      reject(sessionError("cannotListen", { where, reason: code, option: "--health" }, { at: where }));
    });
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    host: address.address,
    port: address.port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
