import { Command, CommanderError, Option, type OptionValues } from "commander";
import { terminalText } from "../../ir/printable.ts";
import { UnsavedError, UsageError, usage } from "../api/index.ts";
import { version } from "../build/index.ts";
import {
  type CommandIo,
  type CommandResult,
  type CommandSpec,
  flagOf,
  type OptionSpec,
  optionAliases,
  optionKey,
  readOptions,
} from "./command.ts";
import { commands } from "./commands.ts";
import { exitCodes, type Failure, failureOf, usageFailure } from "./failure.ts";
import { refuseSaidTwice } from "./repeated-options.ts";

/** Whatever a command prints, the terminal obeys none of it. */
const sanitized = (io: CommandIo): CommandIo => ({
  out: (text) => io.out(terminalText(text)),
  err: (text) => io.err(terminalText(text)),
  isTerminal: io.isTerminal,
  environment: io.environment,
  get interrupted() {
    return io.interrupted;
  },
  onHangup: io.onHangup,
  beforeSignal: io.beforeSignal,
});

/** Runs one command line and returns its exit code. */
export async function runCommandLine(argv: readonly string[], given: CommandIo): Promise<number> {
  const io = sanitized(given);
  let outcome: CommandResult | undefined;
  let shown = "";
  let complained = "";
  // A command line that cannot be read is answered as JSON if it seems to ask for it.
  const last = argv.includes("--") ? argv.indexOf("--") : argv.length;
  let json = argv.slice(0, last).includes("--json");
  const program = createProgram(io, {
    onJson: (asked) => {
      json = asked;
    },
    onResult: (result) => {
      outcome = result;
    },
    onHelp: (text) => {
      shown += text;
    },
    onComplaint: (text) => {
      complained += text;
    },
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    if (!outcome) return exitCodes.success;
    io.out(json ? `${JSON.stringify(outcome.json)}\n` : outcome.text);
    return outcome.exit ?? exitCodes.success;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      io.out(json ? `${JSON.stringify(shownJson(error, shown))}\n` : shown);
      return exitCodes.success;
    }
    if (error instanceof UnsavedError) return reportUnsaved(error, io);
    // Without a command the question is which there are: `marillc` shows all, `marillc keys` its own.
    if (error instanceof CommanderError && error.code === "commander.help") {
      io.err(`${complained}\nerror: ${usageMessage(error)}\n`);
      return exitCodes.usage;
    }
    const failure = error instanceof CommanderError ? usageFailure(usageMessage(error)) : failureOf(error);
    return report(failure, error, io, json);
  }
}

/** Help and version are JSON where it is asked for. */
const shownJson = ({ code }: CommanderError, shown: string): object =>
  code === "commander.version" ? { schema: 1, version: shown.trim() } : { schema: 1, help: shown };

function report(failure: Failure, error: unknown, io: CommandIo, json: boolean): number {
  if (json) io.out(`${JSON.stringify({ schema: 1, error: failure.errors })}\n`);
  else io.err(`${failure.text}\n`);
  if (io.environment.MARILLC_DEBUG === "1" && error instanceof Error) io.err(`${error.stack}\n`);
  return failure.exitCode;
}

/** The whole answer, as `--json` prints it: it was paid for, and its file could not be written. */
function reportUnsaved(error: UnsavedError, io: CommandIo): number {
  io.out(`${JSON.stringify(error.result)}\n`);
  io.err(`${failureOf(error).text}\nthe query was answered: stdout has the whole answer as JSON\n`);
  return exitCodes.input;
}

function usageMessage(error: CommanderError): string {
  if (error.code === "commander.help") return "expected a command, found none: see marillc --help";
  const message = error.message.replace(/^error: /, "").replace("\n", " ");
  return error.code === "commander.unknownCommand" ? `${message}: see marillc --help` : message;
}

interface Hooks {
  /** Whether the command line asks for JSON: `--json` may also be the value of an option, or of an argument after `--`. */
  readonly onJson: (asked: boolean) => void;
  readonly onResult: (outcome: CommandResult) => void;
  /** Help, or the version. */
  readonly onHelp: (text: string) => void;
  /** What the parser itself would say: help where a command is missing. */
  readonly onComplaint: (text: string) => void;
}

function createProgram(io: CommandIo, hooks: Hooks): Command {
  const program = new Command("marillc")
    .description("compile ONNX models to secure multi-party computation programs, and run them")
    .version(version, "-V, --version")
    .helpCommand(false);
  for (const spec of commands) {
    const words = spec.name.split(" ");
    const parent = words.length === 1 ? program : commandGroup(program, words[0]!);
    parent.addCommand(createCommand(spec, words.at(-1)!, io, hooks), { hidden: spec.hidden ?? false });
  }
  // commander copies these settings only to commands that it creates itself, so each command gets its own.
  const redirectOutput = (command: Command): void => {
    command
      .exitOverride((error) => {
        throw allMissing(command, error);
      })
      // Beside a wide name, the parser would not wrap a description of less than 40 columns.
      .configureHelp({ minWidthToWrap: 20 })
      .configureOutput({ writeOut: hooks.onHelp, writeErr: hooks.onComplaint });
    command.commands.forEach((each) => void redirectOutput(each as Command));
  };
  redirectOutput(program);
  return program;
}

/** The parser stops at the first required option or argument that is missing; a user wants to know all. */
function allMissing(command: Command, error: CommanderError): Error {
  if (!["commander.missingMandatoryOptionValue", "commander.missingArgument"].includes(error.code)) return error;
  const given = command.args.filter((each) => !each.startsWith("-")).length;
  const missing = [
    ...command.registeredArguments.slice(given).flatMap((each) => (each.required ? [`<${each.name()}>`] : [])),
    ...command.options.flatMap((each) =>
      each.mandatory && command.getOptionValue(each.attributeName()) === undefined ? [each.flags] : [],
    ),
  ];
  const found = `expected ${missing.join(", ")}, found none${missing.length > 1 ? " of them" : ""}`;
  return new UsageError(missing.length > 0 ? `${found}${takenWords(command)}` : found);
}

/** Where an argument is missing, it may stand behind an option that takes a value or none. */
function takenWords(command: Command): string {
  if (command.args.length >= command.registeredArguments.filter(({ required }) => required).length) return "";
  const taken = command.options.flatMap((each) => {
    const given: unknown = each.optional ? command.getOptionValue(each.attributeName()) : undefined;
    const value = [given].flat().at(-1);
    return typeof value === "string" && value !== "all" ? [{ flag: each.long!, value }] : [];
  });
  return taken
    .map(({ flag, value }) => `; ${flag} took "${value}" as its value: write that word before ${flag}, or ${flag}=all`)
    .join("");
}

function commandGroup(program: Command, name: string): Command {
  const found = program.commands.find((command) => command.name() === name);
  if (found) return found;
  const made = program.command(name).helpCommand(false);
  made.description(
    `${commands
      .filter((spec) => spec.name.startsWith(`${name} `))
      .map((spec) => spec.summary)
      .join("; ")}`,
  );
  return made;
}

/** An example, continued at the width of the help: a shell reads it as it stands. */
function exampleText(line: string): string {
  const lines = ["  $"];
  for (const word of line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []) {
    if (`${lines.at(-1)} ${word} \\`.length <= 80) lines.push(`${lines.pop()} ${word}`);
    else lines.push(`      ${word}`);
  }
  return lines.join(" \\\n");
}

function createCommand(spec: CommandSpec, name: string, io: CommandIo, { onJson, onResult }: Hooks): Command {
  const command = new Command(name).description(spec.summary).helpCommand(false);
  for (const argument of spec.arguments) {
    command.argument(argument.optional ? `[${argument.name}]` : `<${argument.name}>`, argument.help);
  }
  for (const option of spec.options) addOption(command, option);
  const aliases = optionAliases.filter(({ commands: names }) => names.includes(spec.name));
  for (const { old, flag } of aliases) {
    const renamed = spec.options.find((option) => flagOf(option) === flag)!;
    command.addOption(readOption(new Option(renamed.flags.replace(flag, old)).hideHelp(), renamed));
  }
  refuseSaidTwice(command, spec.options, aliases);
  const many = spec.examples.length > 1 ? "Examples" : "Example";
  if (spec.examples.length > 0) {
    command.addHelpText("after", `\n${many}:\n${spec.examples.map(exampleText).join("\n")}`);
  }
  command.action(async (...parameters: unknown[]) => {
    const self = parameters.at(-1) as Command;
    const json = self.opts().json === true;
    onJson(json);
    if (self.args.includes("")) usage("expected an argument that is not empty");
    const line = (text: string): void => io.err(`${text}\n`);
    onResult(
      await spec.run({
        args: self.args,
        options: readOptions(withoutAliases(self.opts(), aliases)),
        json,
        io,
        progress: (text) => void (io.isTerminal && line(text)),
        warn: line,
      }),
    );
  });
  return command;
}

/** The options under their present names; one that is given under both names was refused. */
function withoutAliases(given: OptionValues, aliases: typeof optionAliases): OptionValues {
  const renamed = aliases
    .filter(({ old }) => given[optionKey(old)] !== undefined)
    .map(({ old, flag }) => [optionKey(flag), given[optionKey(old)]]);
  return { ...given, ...Object.fromEntries(renamed) };
}

function addOption(command: Command, spec: OptionSpec): void {
  const { flags, help, required, hidden } = spec;
  const option = new Option(flags, help).makeOptionMandatory(required ?? false).hideHelp(hidden ?? false);
  command.addOption(readOption(option, spec));
}

/** An empty value is one that a script forgot to set, unless it means something. */
function readOption(option: Option, { repeats, mayBeEmpty }: OptionSpec): Option {
  if (!option.required && !option.optional) return option;
  const read = (value: string): string =>
    value === "" && !mayBeEmpty ? usage(`${option.long} takes a value that is not empty`) : value;
  // An option with an optional value is `true` without one.
  const collect = (value: string, before: readonly string[] | true | undefined): readonly string[] => [
    ...(before === true ? ["all"] : (before ?? [])),
    read(value),
  ];
  return option.argParser((repeats ? collect : read) as never);
}
