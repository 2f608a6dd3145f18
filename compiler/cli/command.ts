/** A command as data: the parser, the help, shell completion and the tests all read this table. */
export interface CommandSpec {
  /** `keys init` is the subcommand `init` of `keys`. */
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Complete command lines, run by test/cli/examples.test.ts. */
  readonly examples: readonly string[];
  readonly run: (call: Invocation) => Promise<CommandResult>;
  /** Known by name, and refused with advice; help does not list it. */
  readonly hidden?: true;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly help: string;
  readonly optional?: true;
  /** Values for shell completion; without them it offers files. */
  readonly choices?: readonly string[];
}

export interface OptionSpec {
  /** In the syntax of commander: `-o, --output <dir>`. */
  readonly flags: string;
  readonly help: string;
  readonly repeats?: true;
  /** With `repeats`: what a value is about. Two values about the same are an error. */
  readonly subject?: (value: string) => string | undefined;
  readonly required?: true;
  /** Whether an empty value means something. */
  readonly mayBeEmpty?: true;
  /** Values for shell completion; the command itself checks what it is given. */
  readonly choices?: readonly string[];
  /** Known by name, and refused with advice; help does not list it. */
  readonly hidden?: true;
}

/** The result of a command: `json` or `text` is printed. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  /** Not 0 where the answer is negative: a failed check, an exceeded budget, an unreachable party. */
  readonly exit?: 0 | 1 | 3;
}

/** The part of the process that commands use. */
export interface CommandIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether stderr is a terminal. */
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Resolves at the first SIGINT or SIGTERM. */
  readonly interrupted: Promise<void>;
  /** Does this work at each SIGHUP, which would end the process otherwise; returns what takes it back. */
  readonly onHangup: (work: () => void) => () => void;
  /** Does this work before a SIGINT or SIGTERM ends the process; returns what takes it back. */
  readonly beforeSignal: (work: () => void) => () => void;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly options: ParsedOptions;
  readonly json: boolean;
  readonly io: CommandIo;
  /** Writes a line to stderr if it is a terminal. */
  readonly progress: (line: string) => void;
  /** Writes a line to stderr. */
  readonly warn: (line: string) => void;
}

type RawOptions = Readonly<Record<string, unknown>>;

export interface ParsedOptions {
  readonly text: (name: string) => string | undefined;
  readonly list: (name: string) => readonly string[];
  readonly flag: (name: string) => boolean;
  /** `--name` is true, `--no-name` is false. */
  readonly toggle: (name: string) => boolean | undefined;
}

export const readOptions = (given: RawOptions): ParsedOptions => ({
  text: (name) => given[name] as string | undefined,
  list: (name) => (given[name] as readonly string[] | undefined) ?? [],
  flag: (name) => given[name] === true,
  toggle: (name) => given[name] as boolean | undefined,
});

/** The first flag of an option: `--merged-lora <rank>` → `--merged-lora`. */
export const flagOf = ({ flags }: OptionSpec): string => /--[a-z-]+/.exec(flags)![0];

/** The key of an option in `ParsedOptions`: `--merged-lora` → `mergedLora`. */
export const optionKey = (flag: string): string =>
  flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The reverse: `mergedLora` → `--merged-lora`. */
export const flagOfKey = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const modelCommands: readonly string[] = ["check", "inspect", "compile", "cost"];

/** Renamed options, by command. The old names work for one release; neither help nor completion lists them. */
export const optionAliases: readonly {
  readonly old: string;
  readonly flag: string;
  readonly commands: readonly string[];
}[] = [
  { old: "--numerics", flag: "--preset", commands: modelCommands },
  { old: "--low-rank", flag: "--merged-lora", commands: modelCommands },
  { old: "--shape", flag: "--architecture", commands: ["cost"] },
  { old: "--lora", flag: "--lora-rank", commands: ["cost"] },
  { old: "--merge", flag: "--merge-heads", commands: ["cost"] },
];

export const jsonOption: OptionSpec = { flags: "--json", help: "print exactly one JSON document on stdout" };
