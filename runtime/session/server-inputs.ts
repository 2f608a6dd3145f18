import { sessionError } from "../core/index.ts";
import type { Program } from "../program/index.ts";
import type { IntTensor } from "../ring/index.ts";
import type { QueryPosition, QuerySubject } from "./requests.ts";

/** What the server is asked for. */
export interface ServerQuery extends QuerySubject {
  readonly query: number;
  readonly at: QueryPosition;
}

/** Finds the server's integers for a query, before the server sends anything for it. */
export type ServerInputs = (asked: ServerQuery) => Promise<Readonly<Record<string, IntTensor>>>;

/** Whether a program takes inputs, or residues of inputs, from the server. */
export const hasServerInputs = ({ inputs }: Program): boolean =>
  Object.values(inputs).some(({ of }) => of !== undefined);

/** For a program that takes none. */
export const noInputs: ServerInputs = () => Promise.reject(sessionError("noServerInput", { peer: "server" }));
