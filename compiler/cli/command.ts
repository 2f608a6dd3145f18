/** A command is one table: what the parser, the help and the tests ask about it. */
export interface CommandSpec {
  /** `keys init` is the subcommand `init` of `keys`. */
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly { readonly name: string; readonly help: string; readonly optional?: true }[];
  readonly options: readonly OptionSpec[];
  /** Complete command lines, run by test/cli/examples.test.ts. */
  readonly examples: readonly string[];
  readonly run: (call: Invocation) => Promise<CommandResult>;
  /** Known by name and refused with an advice: no help lists it. */
  readonly hidden?: true;
}

export interface OptionSpec {
  /** As commander reads them: `-o, --output <dir>`. */
  readonly flags: string;
  readonly help: string;
  readonly repeats?: true;
  readonly required?: true;
  /** Values that a shell offers; what is taken, the command says. */
  readonly choices?: readonly string[];
  /** Known by name and refused with an advice: no help lists it. */
  readonly hidden?: true;
}

/** What a command says: one of the two is printed. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  /** Where the answer itself is bad news: a check that failed, a budget that is exceeded, a party out of reach. */
  readonly exit?: 0 | 1 | 3;
}

/** All that a command touches of the process. */
export interface CommandIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person watches stderr. */
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The first SIGINT or SIGTERM. */
  readonly interrupted: Promise<void>;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly options: ParsedOptions;
  readonly json: boolean;
  readonly io: CommandIo;
  /** A line on stderr when a person watches it. */
  readonly progress: (line: string) => void;
  /** A line that everybody should read, on stderr. */
  readonly warn: (line: string) => void;
}

type RawOptions = Readonly<Record<string, unknown>>;

export interface ParsedOptions {
  readonly text: (name: string) => string | undefined;
  readonly list: (name: string) => readonly string[];
  readonly flag: (name: string) => boolean;
}

export const readOptions = (given: RawOptions): ParsedOptions => ({
  text: (name) => given[name] as string | undefined,
  list: (name) => (given[name] as readonly string[] | undefined) ?? [],
  flag: (name) => given[name] === true,
});

export const jsonOption: OptionSpec = { flags: "--json", help: "print one JSON document on stdout and nothing else" };
