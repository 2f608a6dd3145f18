import { createToken, type ITokenConfig, Lexer, type TokenType } from "chevrotain";

/** Any word, keyword or not: names of operators, attributes, protocols and modules. */
export const Name = createToken({ name: "Name", pattern: Lexer.NA, label: "a name" });
export const LabelName = createToken({
  name: "LabelName",
  pattern: Lexer.NA,
  label: "public, client, server or shared",
});
export const SharingName = createToken({ name: "SharingName", pattern: Lexer.NA, label: "additive or masked" });
export const ElementName = createToken({
  name: "ElementName",
  pattern: Lexer.NA,
  label: "an element (f32, i64, bool, fxW.S)",
});

const Word = createToken({ name: "Word", pattern: /[A-Za-z_][A-Za-z0-9_.-]*/, categories: [Name], label: "a name" });

/** Keywords may be part of longer words (`step` of `stepwise`): the longer word wins. */
function keyword(text: string, ...categories: readonly TokenType[]): TokenType {
  return createToken({
    name: `Keyword${text}`,
    pattern: text,
    longer_alt: Word,
    categories: [Name, ...categories],
    label: text,
  });
}

export const KeywordModule = keyword("module");
export const KeywordStage = keyword("stage");
export const KeywordInput = keyword("input");
export const KeywordParam = keyword("param");
export const KeywordOutput = keyword("output");
export const KeywordReturn = keyword("return");
export const KeywordStep = keyword("step");
export const KeywordIn = keyword("in");
export const KeywordVia = keyword("via");
export const KeywordAt = keyword("at");
export const KeywordTrue = keyword("true");
export const KeywordFalse = keyword("false");
export const KeywordInf = keyword("inf");
export const KeywordNan = keyword("nan");

const labelWords = ["public", "client", "server", "shared"].map((text) => keyword(text, LabelName));
const sharingWords = ["additive", "masked"].map((text) => keyword(text, SharingName));
const elementWords = ["f32", "i64", "bool"].map((text) => keyword(text, ElementName));
const FixedElement = createToken({
  name: "FixedElement",
  pattern: /fx\d+\.-?\d+/,
  longer_alt: Word,
  categories: [Name, ElementName],
  label: "fxW.S",
});

const symbol = (name: string, pattern: string): TokenType => createToken({ name, pattern, label: `\`${pattern}\`` });
export const BraceOpen = symbol("BraceOpen", "{");
export const BraceClose = symbol("BraceClose", "}");
export const BracketOpen = symbol("BracketOpen", "[");
export const BracketClose = symbol("BracketClose", "]");
export const Colon = symbol("Colon", ":");
export const Comma = symbol("Comma", ",");
export const Equals = symbol("Equals", "=");
export const MinusInf = symbol("MinusInf", "-inf");

export const ValueName = createToken({
  name: "ValueName",
  pattern: /%[A-Za-z_][A-Za-z0-9_.]*/,
  label: "a value (%name)",
});
export const NumberLiteral = createToken({
  name: "NumberLiteral",
  pattern: /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/,
  label: "a number",
});
export const StringLiteral = createToken({
  name: "StringLiteral",
  pattern: /"(?:[^"\\\n\r]|\\.)*"/,
  label: "a string",
});

const skip = (name: string, pattern: RegExp): ITokenConfig => ({
  name,
  pattern,
  group: Lexer.SKIPPED,
  line_breaks: true,
});

export const tokens: TokenType[] = [
  createToken(skip("WhiteSpace", /\s+/)),
  createToken(skip("Comment", /\/\/[^\n\r]*/)),
  MinusInf,
  NumberLiteral,
  StringLiteral,
  ValueName,
  ...[BraceOpen, BraceClose, BracketOpen, BracketClose, Colon, Comma, Equals],
  ...[KeywordModule, KeywordStage, KeywordInput, KeywordParam, KeywordOutput, KeywordReturn, KeywordStep],
  // `in` behind `input` and `inf`: the lexer takes the first keyword that fits.
  ...[KeywordInf, KeywordIn, KeywordVia, KeywordAt, KeywordTrue, KeywordFalse, KeywordNan],
  ...labelWords,
  ...sharingWords,
  FixedElement,
  ...elementWords,
  Word,
  ...[Name, LabelName, SharingName, ElementName],
];

export const lexer = new Lexer(tokens, { positionTracking: "full" });
