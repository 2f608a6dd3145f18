import { honestClient } from "./clients.ts";
import type { Deployment, Prepared } from "./deployment.ts";

/** Asks once, in a process that may be killed. Its first message says that it begins, its second what came of it. */
const { built, where, hungSeconds } = JSON.parse(process.argv[2]!) as {
  readonly built: Prepared;
  readonly where: Pick<Deployment, "server" | "dealer">;
  readonly hungSeconds: number;
};
const client = await honestClient(built, hungSeconds);
process.send!("begun");
const outcome = await client.ask(where);
process.send!(outcome, () => process.disconnect());
