/** Lowers one TypeScript or JavaScript file to its flow graph. No type checker and no other file is looked at. */
import { ts } from "ts-morph";
import type { Field, FlowModule, Operand } from "../flow.ts";
import { effects, isAssignment, value } from "./dispatch.ts";
import { findIgnores, findLineStarts } from "./ignores.ts";
import { lowerAssignment, lowerStep } from "./lowerAssignment.ts";
import * as chain from "./lowerChain.ts";
import * as choice from "./lowerChoice.ts";
import { lowerClass } from "./lowerClass.ts";
import { collectExports } from "./lowerExports.ts";
import { lowerFunction, lowerModule } from "./lowerFunction.ts";
import * as literal from "./lowerLiteral.ts";
import { lowerDo, lowerFor, lowerForEach, lowerWhile } from "./lowerLoop.ts";
import * as statements from "./lowerStatement.ts";
import { lowerTry } from "./lowerTry.ts";
import { lowerInterface } from "./lowerType.ts";
import { lowerClosure } from "./namedValue.ts";
import { THIS, UNKNOWN } from "./operands.ts";
import { createScope, type FunctionState, type Lowerings, type ModuleState } from "./state.ts";

const { SyntaxKind } = ts;

export function lowerFile(file: string, text: string): FlowModule {
  return lowerSource(file, text, parse(file, text));
}

function parse(file: string, text: string): ts.SourceFile {
  const options = { languageVersion: ts.ScriptTarget.ESNext, jsDocParsingMode: ts.JSDocParsingMode.ParseNone };
  try {
    return ts.createSourceFile(file, text, options, false, scriptKind(file));
  } catch {
    // The parser recurses and fails on nesting that nobody wrote by hand: such a file has nothing to say.
    return ts.createSourceFile(file, "", options, false, scriptKind(file));
  }
}

/** JavaScript is read with JSX, which many of its files use whatever they are called. */
function scriptKind(file: string): ts.ScriptKind {
  if (file.endsWith(".tsx")) return ts.ScriptKind.TSX;
  return /\.[cm]?ts$/u.test(file) ? ts.ScriptKind.TS : ts.ScriptKind.JSX;
}

function lowerSource(file: string, text: string, source: ts.SourceFile): FlowModule {
  const module: ModuleState = {
    source,
    top: createScope(undefined),
    lowerings: LOWERINGS,
    functions: [],
    pending: [],
    classes: [],
    written: {},
    exports: new Map(),
    reexports: [],
    constants: new Map(),
    reassigned: new Set(),
    functionIndexes: new Map(),
    classIndexes: new Map(),
    loweredClasses: new Set(),
    repeated: new Map(),
    functionCount: 1,
  };
  lowerModule(module);
  // Lowering a function may add those that are written in it.
  for (const pending of module.pending) lowerFunction(module, pending);
  collectExports(module);
  const lineStarts = findLineStarts(text);
  return {
    file,
    functions: module.functions,
    classes: module.classes,
    exports: fieldsOf(module.exports),
    reexports: module.reexports,
    constants: fieldsOf(module.constants).filter(({ name }) => !module.reassigned.has(name)),
    written: module.written,
    lineStarts,
    ignores: findIgnores(source, lineStarts),
  };
}

function fieldsOf(map: ReadonlyMap<string, Operand>): Field[] {
  return [...map].map(([name, value]) => ({ name, value }));
}

function lowerBinary(flow: FunctionState, node: ts.BinaryExpression): Operand {
  const operator = node.operatorToken.kind;
  switch (operator) {
    case SyntaxKind.PlusToken:
      return literal.lowerSum(flow, node);
    case SyntaxKind.CommaToken:
      return literal.lowerComma(flow, node);
    case SyntaxKind.AmpersandAmpersandToken:
    case SyntaxKind.BarBarToken:
    case SyntaxKind.QuestionQuestionToken:
      return choice.lowerShortCircuit(flow, node);
    default:
      return isAssignment(operator) ? lowerAssignment(flow, node) : literal.lowerOperation(flow, node);
  }
}

function binaryEffects(flow: FunctionState, node: ts.BinaryExpression): void {
  switch (node.operatorToken.kind) {
    case SyntaxKind.CommaToken:
      return literal.commaEffects(flow, node);
    case SyntaxKind.AmpersandAmpersandToken:
    case SyntaxKind.BarBarToken:
    case SyntaxKind.QuestionQuestionToken:
      return choice.shortCircuitEffects(flow, node);
    default:
      value(flow, node);
  }
}

function lowerPrefix(flow: FunctionState, node: ts.PrefixUnaryExpression): Operand {
  const steps = node.operator === SyntaxKind.PlusPlusToken || node.operator === SyntaxKind.MinusMinusToken;
  return steps ? lowerStep(flow, node) : literal.lowerPrefix(flow, node);
}

function lowerCallback(flow: FunctionState, node: ts.ArrowFunction | ts.FunctionExpression): Operand {
  return lowerClosure(flow, node, "callback", "closure");
}

function innerEffects(flow: FunctionState, node: ts.ParenthesizedExpression | ts.NonNullExpression): void {
  effects(flow, node.expression);
}

function constant(operand: Operand): () => Operand {
  return () => operand;
}

function byKind<T>(entries: readonly (readonly [ts.SyntaxKind, T])[]): (T | undefined)[] {
  const table: (T | undefined)[] = Array.from({ length: SyntaxKind.Count }, () => undefined);
  for (const [kind, entry] of entries) table[kind] = entry;
  return table;
}

const LOWERINGS: Lowerings = {
  values: byKind<Lowerings["values"][number]>([
    [SyntaxKind.Identifier, literal.lowerIdentifier],
    [SyntaxKind.StringLiteral, literal.lowerText],
    [SyntaxKind.NoSubstitutionTemplateLiteral, literal.lowerText],
    [SyntaxKind.NumericLiteral, literal.lowerNumber],
    [SyntaxKind.TrueKeyword, constant({ op: "literal", value: true })],
    [SyntaxKind.FalseKeyword, constant({ op: "literal", value: false })],
    [SyntaxKind.NullKeyword, constant({ op: "literal", value: null })],
    [SyntaxKind.ThisKeyword, (flow) => flow.self],
    [SyntaxKind.SuperKeyword, constant(THIS)],
    [SyntaxKind.RegularExpressionLiteral, constant(UNKNOWN)],
    [SyntaxKind.BigIntLiteral, constant(UNKNOWN)],
    [SyntaxKind.TemplateExpression, literal.lowerTemplate],
    [SyntaxKind.MetaProperty, literal.lowerMeta],
    [SyntaxKind.ArrayLiteralExpression, literal.lowerArray],
    [SyntaxKind.ObjectLiteralExpression, literal.lowerObject],
    [SyntaxKind.SpreadElement, literal.lowerSpread],
    [SyntaxKind.ArrowFunction, lowerCallback],
    [SyntaxKind.FunctionExpression, lowerCallback],
    [SyntaxKind.ClassExpression, (flow, node: ts.ClassExpression) => lowerClass(flow, node, "class")],
    [SyntaxKind.BinaryExpression, lowerBinary],
    [SyntaxKind.ConditionalExpression, choice.lowerConditional],
    [SyntaxKind.PrefixUnaryExpression, lowerPrefix],
    [SyntaxKind.PostfixUnaryExpression, lowerStep],
    [SyntaxKind.TypeOfExpression, literal.lowerTypeOf],
    [SyntaxKind.DeleteExpression, literal.lowerDelete],
    [SyntaxKind.VoidExpression, literal.lowerVoid],
    [SyntaxKind.AwaitExpression, chain.lowerAwait],
    [SyntaxKind.YieldExpression, chain.lowerYield],
    [SyntaxKind.PropertyAccessExpression, chain.lowerChain],
    [SyntaxKind.ElementAccessExpression, chain.lowerChain],
    [SyntaxKind.CallExpression, chain.lowerChain],
    [SyntaxKind.ParenthesizedExpression, chain.lowerChain],
    [SyntaxKind.NonNullExpression, chain.lowerChain],
    [SyntaxKind.AsExpression, chain.lowerChain],
    [SyntaxKind.SatisfiesExpression, chain.lowerChain],
    [SyntaxKind.TypeAssertionExpression, chain.lowerChain],
    [SyntaxKind.ExpressionWithTypeArguments, chain.lowerChain],
    [SyntaxKind.NewExpression, chain.lowerNew],
    [SyntaxKind.TaggedTemplateExpression, chain.lowerTagged],
    [SyntaxKind.JsxElement, literal.lowerJsx],
    [SyntaxKind.JsxSelfClosingElement, literal.lowerJsx],
    [SyntaxKind.JsxFragment, literal.lowerJsx],
    [SyntaxKind.JsxExpression, literal.lowerJsxExpression],
  ]),
  effects: byKind<Lowerings["effects"][number]>([
    [SyntaxKind.CallExpression, chain.floatingChain],
    [SyntaxKind.TaggedTemplateExpression, chain.floatingTagged],
    [SyntaxKind.ParenthesizedExpression, innerEffects],
    [SyntaxKind.NonNullExpression, innerEffects],
    [SyntaxKind.VoidExpression, literal.voidEffects],
    [SyntaxKind.BinaryExpression, binaryEffects],
    [SyntaxKind.ConditionalExpression, choice.conditionalEffects],
  ]),
  statements: byKind<Lowerings["statements"][number]>([
    [SyntaxKind.Block, statements.lowerBlock],
    [SyntaxKind.VariableStatement, statements.lowerVariables],
    [SyntaxKind.ExpressionStatement, statements.lowerExpressionStatement],
    [SyntaxKind.IfStatement, statements.lowerIf],
    [SyntaxKind.WhileStatement, lowerWhile],
    [SyntaxKind.DoStatement, lowerDo],
    [SyntaxKind.ForStatement, lowerFor],
    [SyntaxKind.ForOfStatement, lowerForEach],
    [SyntaxKind.ForInStatement, lowerForEach],
    [SyntaxKind.BreakStatement, statements.lowerBreak],
    [SyntaxKind.ContinueStatement, statements.lowerContinue],
    [SyntaxKind.ReturnStatement, statements.lowerReturn],
    [SyntaxKind.ThrowStatement, statements.lowerThrow],
    [SyntaxKind.SwitchStatement, statements.lowerSwitch],
    [SyntaxKind.LabeledStatement, statements.lowerLabeled],
    [SyntaxKind.TryStatement, lowerTry],
    [SyntaxKind.WithStatement, statements.lowerWith],
    [SyntaxKind.FunctionDeclaration, statements.lowerFunctionDeclaration],
    [SyntaxKind.ClassDeclaration, statements.lowerClassDeclaration],
    [SyntaxKind.InterfaceDeclaration, lowerInterface],
    [SyntaxKind.TypeAliasDeclaration, lowerInterface],
    [SyntaxKind.EnumDeclaration, statements.lowerEnum],
    [SyntaxKind.ModuleDeclaration, statements.lowerNamespace],
    [SyntaxKind.ExportAssignment, statements.lowerExportAssignment],
    [SyntaxKind.ImportEqualsDeclaration, statements.lowerImportEquals],
  ]),
};
