import { usage } from "../api/index.ts";
import { type CommandSpec, jsonOption, type OptionSpec } from "./command.ts";

/** A command with the options and values that may follow it. */
interface Word {
  /** Of one word, or of two as `keys init`. */
  readonly name: string;
  readonly summary: string;
  /** Values of its arguments; none: files. */
  readonly values: readonly string[];
  readonly options: readonly {
    readonly flags: readonly string[];
    readonly value: boolean;
    readonly spec: OptionSpec;
  }[];
}

/** `-o, --output <dir>` → its flags, and whether a value follows. */
const flagsOf = (spec: OptionSpec) => ({
  flags: spec.flags
    .replace(/ [<[].*/, "")
    .split(",")
    .map((flag) => flag.trim()),
  value: spec.flags.includes("<"),
  spec,
});

const wordsOf = (commands: readonly CommandSpec[]): readonly Word[] =>
  commands
    .filter(({ hidden }) => !hidden)
    .map(({ name, summary, arguments: args, options }) => ({
      name,
      summary,
      values: args.flatMap(({ choices = [] }) => choices),
      options: [
        ...options.filter(({ hidden }) => !hidden),
        { flags: "--help", help: "show the options of this command" },
      ].map(flagsOf),
    }));

/** The first words of all commands, without duplicates. */
const firstOf = (words: readonly Word[]): readonly string[] => [
  ...new Set(words.map(({ name }) => name.split(" ")[0]!)),
];

/** The second words of two-word commands that start with `first`. */
const secondOf = (words: readonly Word[], first: string): readonly string[] =>
  words.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.split(" ")[1]!);

const allFlags = ({ options }: Word): string => options.flatMap(({ flags }) => flags).join(" ");

function bash(words: readonly Word[]): string {
  const cases = words.map(
    (word) => `    "${word.name}") flags="${allFlags(word)}" values="${word.values.join(" ")}" ;;`,
  );
  const values = words.flatMap(({ name, options }) =>
    options
      .filter(({ spec }) => spec.choices)
      .flatMap(({ flags, spec }) =>
        flags.map((flag) => `    "${name} ${flag}") choices="${spec.choices!.join(" ")}" ;;`),
      ),
  );
  const taking = [
    ...new Set(words.flatMap(({ options }) => options.filter(({ value }) => value).flatMap(({ flags }) => flags))),
  ];
  const groups = firstOf(words)
    .filter((first) => secondOf(words, first).length > 0)
    .map(
      (first) =>
        `      ${first}) COMPREPLY=($(compgen -W "${secondOf(words, first).join(" ")} --help" -- "$current")); return ;;`,
    );
  return `# bash completion of marillc: eval "$(marillc completion bash)"
_marillc() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" flags="" values="" choices=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${firstOf(words).join(" ")} --help --version" -- "$current"))
    return
  fi
  if [ "$COMP_CWORD" -eq 2 ]; then
    case "$command" in
${groups.join("\n")}
    esac
  fi
  case "$command" in
${firstOf(words)
  .filter((first) => secondOf(words, first).length > 0)
  .map((first) => `    ${first}) command="${first} \${COMP_WORDS[2]}" ;;`)
  .join("\n")}
  esac
  case "$command" in
${cases.join("\n")}
  esac
  case "$command $previous" in
${values.join("\n")}
  esac
  if [ -n "$choices" ]; then
    COMPREPLY=($(compgen -W "$choices" -- "$current"))
    return
  fi
  case "$previous" in
    ${taking.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi ;;
  esac
}
complete -o filenames -F _marillc marillc
`;
}

/** Help for zsh and fish, without the characters that end a quoted text there. */
const quoted = (text: string): string =>
  text.replace(/'/g, "’").replace(/[[\]:]/g, (mark) => (mark === ":" ? ";" : mark === "[" ? "(" : ")"));

function zsh(words: readonly Word[]): string {
  const option = ({ flags, value, spec }: Word["options"][number]): string => {
    const action = spec.choices ? `:value:(${spec.choices.join(" ")})` : value ? ":value:_files" : "";
    const repeats = spec.repeats ? "*" : "";
    return flags.map((flag) => `      '${repeats}${flag}[${quoted(spec.help)}]${action}'`).join(" \\\n");
  };
  const cases = words.map(
    ({ name, values, options }) =>
      `    '${name}') _arguments \\\n${[...options.map(option), `      '*:${values.length > 0 ? `value:(${values.join(" ")})` : "file:_files"}'`].join(" \\\n")} ;;`,
  );
  const described = firstOf(words).map((first) => {
    const word = words.find(({ name }) => name === first) ?? words.find(({ name }) => name.startsWith(`${first} `))!;
    return `    '${first}:${quoted(word.summary)}'`;
  });
  const groups = firstOf(words).filter((first) => secondOf(words, first).length > 0);
  return `#compdef marillc
# zsh completion of marillc: eval "$(marillc completion zsh)"
_marillc() {
  local -a commands
  commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  case "$command" in
${groups
  .map(
    (first) =>
      `    ${first}) if (( CURRENT == 3 )); then compadd ${secondOf(words, first).join(" ")}; return; fi; command="$words[2] $words[3]"; shift words; (( CURRENT-- )) ;;`,
  )
  .join("\n")}
  esac
  shift words; (( CURRENT-- ))
  case "$command" in
${cases.join("\n")}
  esac
}
compdef _marillc marillc
`;
}

function fish(words: readonly Word[]): string {
  const first = firstOf(words).map((name) => {
    const word = words.find((each) => each.name === name) ?? words.find((each) => each.name.startsWith(`${name} `))!;
    return `complete -c marillc -n __fish_use_subcommand -f -a ${name} -d '${quoted(word.summary)}'`;
  });
  const second = firstOf(words).flatMap((name) =>
    secondOf(words, name).map(
      (sub) =>
        `complete -c marillc -n '__fish_seen_subcommand_from ${name}; and not __fish_seen_subcommand_from ${sub}' -f -a ${sub}`,
    ),
  );
  const options = words.flatMap(({ name, options: all }) => {
    const seen = name
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    return all.map(({ flags, value, spec }) => {
      const names = flags
        .map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
        .join(" ");
      const takes = spec.choices ? ` -x -a '${spec.choices.join(" ")}'` : value ? " -r" : "";
      return `complete -c marillc -n '${seen}' ${names}${takes} -d '${quoted(spec.help)}'`;
    });
  });
  const values = words
    .filter((word) => word.values.length > 0)
    .map(
      ({ name, values: offered }) =>
        `complete -c marillc -n '__fish_seen_subcommand_from ${name}' -f -a '${offered.join(" ")}'`,
    );
  return `# fish completion of marillc: marillc completion fish | source\n${[...first, ...second, ...values, ...options].join("\n")}\n`;
}

const shells: Readonly<Record<string, (words: readonly Word[]) => string>> = { bash, zsh, fish };

/** `commands` is a function because the list contains this command. */
export const completionCommand = (commands: () => readonly CommandSpec[]): CommandSpec => ({
  name: "completion",
  summary: "print a completion script for a shell",
  arguments: [{ name: "shell", help: Object.keys(shells).join(", "), choices: Object.keys(shells) }],
  options: [jsonOption],
  examples: ["marillc completion bash"],
  run: async ({ args }) => {
    const shell = args[0]!;
    const print = Object.hasOwn(shells, shell) ? shells[shell] : undefined;
    if (!print) return usage(`completion takes ${Object.keys(shells).join(", ")}, found "${shell}"`);
    const script = print(wordsOf(commands()));
    return { json: { schema: 1, shell, script }, text: script };
  },
});
