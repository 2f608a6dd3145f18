import { EmbeddedActionsParser, type IParserErrorMessageProvider, type IToken, type TokenType } from "chevrotain";
import * as t from "./tokens.ts";

/** The syntax tree, whose leaves are tokens; ir/text/parse.ts interprets them. */
export interface TypeSyntax {
  readonly label: IToken;
  readonly sharing: IToken | undefined;
  readonly element: IToken;
  readonly shape: readonly IToken[];
}
export interface ListSyntax {
  readonly start: IToken;
  readonly items: readonly IToken[];
}
export interface ValueSyntax {
  readonly name: IToken;
  readonly type: TypeSyntax;
  readonly range: readonly IToken[] | undefined;
}
export interface ParamSyntax extends ValueSyntax {
  readonly weight: IToken;
  /** `at position { axis = …, rows = … }` */
  readonly position: { readonly word: IToken; readonly attrs: readonly AttrSyntax[] } | undefined;
}
export interface AttrSyntax {
  readonly name: IToken;
  readonly value: IToken | ListSyntax;
}
export interface OpSyntax extends ValueSyntax {
  readonly op: IToken;
  readonly operands: readonly IToken[];
  readonly attrs: readonly AttrSyntax[];
  readonly protocol: IToken | undefined;
  readonly tuning: readonly AttrSyntax[];
  readonly origin: IToken | undefined;
}
export interface ModuleSyntax {
  readonly name: IToken;
  readonly stage: IToken;
  readonly inputs: readonly ValueSyntax[];
  readonly params: readonly ParamSyntax[];
  readonly steps: readonly (readonly OpSyntax[])[];
  readonly outputs: readonly (readonly IToken[])[];
}

const labelOf = (token: TokenType): string => token.LABEL ?? token.name;
const imageOf = (token: IToken): string => (token.image === "" ? "the end of the text" : JSON.stringify(token.image));

/** The first token of each alternative, without repeats. */
function firstTokens(paths: readonly (readonly (readonly TokenType[])[])[]): string {
  const first = paths.flatMap((alternative) => alternative.map((path) => labelOf(path[0]!)));
  return [...new Set(first)].join(", ");
}

const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual }) => `expected ${labelOf(expected)}, found ${imageOf(actual)}`,
  buildNotAllInputParsedMessage: ({ firstRedundant }) =>
    `expected the end of the text, found ${imageOf(firstRedundant)}`,
  buildNoViableAltMessage: ({ expectedPathsPerAlt, actual }) =>
    `expected one of ${firstTokens(expectedPathsPerAlt)}, found ${imageOf(actual[0]!)}`,
  buildEarlyExitMessage: ({ expectedIterationPaths, actual }) =>
    `expected one of ${firstTokens([expectedIterationPaths])}, found ${imageOf(actual[0]!)}`,
};

/**
 * chevrotain runs every rule body once with dummy tokens to learn the grammar: a body only collects its tokens, and
 * never reads inside the result of a subrule.
 */
class MirParser extends EmbeddedActionsParser {
  constructor() {
    super(t.tokens, { errorMessageProvider: messages, maxLookahead: 2 });
    this.performSelfAnalysis();
  }

  module = this.RULE("module", (): ModuleSyntax => {
    const inputs: ValueSyntax[] = [];
    const params: ParamSyntax[] = [];
    const steps: (readonly OpSyntax[])[] = [];
    const outputs: (readonly IToken[])[] = [];
    this.CONSUME(t.KeywordModule);
    const name = this.OR1([{ ALT: () => this.CONSUME1(t.Name) }, { ALT: () => this.CONSUME(t.StringLiteral) }]);
    this.CONSUME(t.KeywordStage);
    const stage = this.CONSUME2(t.Name);
    this.CONSUME(t.BraceOpen);
    this.MANY(() => {
      this.OR2([
        { ALT: () => inputs.push(this.SUBRULE(this.entry)) },
        { ALT: () => params.push(this.SUBRULE(this.param)) },
        { ALT: () => steps.push(this.SUBRULE(this.step)) },
        { ALT: () => steps.push([this.SUBRULE(this.op)]) },
        { ALT: () => outputs.push(this.SUBRULE(this.outputs)) },
      ]);
    });
    this.CONSUME(t.BraceClose);
    return { name, stage, inputs, params, steps, outputs };
  });

  entry = this.RULE("entry", (): ValueSyntax => {
    this.CONSUME(t.KeywordInput);
    const name = this.CONSUME(t.ValueName);
    this.CONSUME(t.Colon);
    const type = this.SUBRULE(this.type);
    const range = this.OPTION(() => this.SUBRULE(this.range));
    return { name, type, range };
  });

  param = this.RULE("param", (): ParamSyntax => {
    this.CONSUME(t.KeywordParam);
    const name = this.CONSUME(t.ValueName);
    this.CONSUME(t.Colon);
    const type = this.SUBRULE(this.type);
    const range = this.OPTION(() => this.SUBRULE(this.range));
    this.CONSUME(t.Equals);
    const weight = this.CONSUME(t.StringLiteral);
    const index = this.OPTION2(() => {
      this.CONSUME(t.KeywordAt);
      const word = this.CONSUME(t.Name);
      return { word, attrs: this.SUBRULE(this.attrs) };
    });
    return { name, type, range, weight, position: index };
  });

  outputs = this.RULE("outputs", (): readonly IToken[] => {
    const found: IToken[] = [];
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.KeywordOutput);
          found.push(this.CONSUME1(t.ValueName));
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.KeywordReturn);
          this.AT_LEAST_ONE_SEP({
            SEP: t.Comma,
            DEF: () => {
              found.push(this.CONSUME2(t.ValueName));
            },
          });
        },
      },
    ]);
    return found;
  });

  step = this.RULE("step", (): readonly OpSyntax[] => {
    const ops: OpSyntax[] = [];
    this.CONSUME(t.KeywordStep);
    this.CONSUME(t.BraceOpen);
    this.MANY(() => {
      ops.push(this.SUBRULE(this.op));
    });
    this.CONSUME(t.BraceClose);
    return ops;
  });

  op = this.RULE("op", (): OpSyntax => {
    const operands: IToken[] = [];
    const name = this.CONSUME1(t.ValueName);
    this.CONSUME(t.Equals);
    const op = this.CONSUME1(t.Name);
    this.MANY_SEP({
      SEP: t.Comma,
      DEF: () => {
        operands.push(this.CONSUME2(t.ValueName));
      },
    });
    const attrs = this.OPTION1(() => this.SUBRULE(this.attrs)) ?? [];
    this.CONSUME(t.Colon);
    const type = this.SUBRULE(this.type);
    const range = this.OPTION2(() => this.SUBRULE(this.range));
    const protocol = this.OPTION3(() => {
      this.CONSUME(t.KeywordVia);
      return this.CONSUME2(t.Name);
    });
    const tuning = this.OPTION5(() => this.SUBRULE2(this.attrs)) ?? [];
    const origin = this.OPTION4(() => {
      this.CONSUME(t.KeywordAt);
      return this.CONSUME(t.StringLiteral);
    });
    return { name, op, operands, attrs, type, range, protocol, tuning, origin };
  });

  attrs = this.RULE("attrs", (): readonly AttrSyntax[] => {
    const found: AttrSyntax[] = [];
    this.CONSUME(t.BraceOpen);
    this.MANY_SEP({
      SEP: t.Comma,
      DEF: () => {
        const name = this.CONSUME(t.Name);
        this.CONSUME(t.Equals);
        const value = this.OR<IToken | ListSyntax>([
          { ALT: () => this.SUBRULE(this.scalar) },
          { ALT: () => this.SUBRULE(this.list) },
        ]);
        found.push({ name, value });
      },
    });
    this.CONSUME(t.BraceClose);
    return found;
  });

  list = this.RULE("list", (): ListSyntax => {
    const items: IToken[] = [];
    const start = this.CONSUME(t.BracketOpen);
    this.MANY_SEP({
      SEP: t.Comma,
      DEF: () => {
        items.push(this.SUBRULE(this.scalar));
      },
    });
    this.CONSUME(t.BracketClose);
    return { start, items };
  });

  scalar = this.RULE(
    "scalar",
    (): IToken =>
      this.OR([
        { ALT: () => this.SUBRULE(this.number) },
        { ALT: () => this.CONSUME(t.StringLiteral) },
        { ALT: () => this.CONSUME(t.KeywordTrue) },
        { ALT: () => this.CONSUME(t.KeywordFalse) },
      ]),
  );

  number = this.RULE(
    "number",
    (): IToken =>
      this.OR([
        { ALT: () => this.CONSUME(t.NumberLiteral) },
        { ALT: () => this.CONSUME(t.KeywordInf) },
        { ALT: () => this.CONSUME(t.MinusInf) },
        { ALT: () => this.CONSUME(t.KeywordNan) },
      ]),
  );

  type = this.RULE("type", (): TypeSyntax => {
    const shape: IToken[] = [];
    const label = this.CONSUME(t.LabelName);
    const sharing = this.OPTION(() => this.CONSUME(t.SharingName));
    const element = this.CONSUME(t.ElementName);
    this.CONSUME(t.BracketOpen);
    this.MANY_SEP({
      SEP: t.Comma,
      DEF: () => {
        shape.push(this.CONSUME(t.NumberLiteral));
      },
    });
    this.CONSUME(t.BracketClose);
    return { label, sharing, element, shape };
  });

  range = this.RULE("range", (): readonly IToken[] => {
    this.CONSUME(t.KeywordIn);
    this.CONSUME(t.BracketOpen);
    const lo = this.SUBRULE1(this.number);
    this.CONSUME(t.Comma);
    const hi = this.SUBRULE2(this.number);
    this.CONSUME(t.BracketClose);
    return [lo, hi];
  });
}

/** Built once: learning the grammar takes longer than parsing a module. */
export const parser = new MirParser();
