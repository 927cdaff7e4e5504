/** Prints flow graphs for people and for tests: one line per event, names without their numbers. */
import type { Block, Event, Exit, FlowClass, FlowFunction, FlowModule, Operand, Test } from "../../core/analysis/flow.ts";

export function dump(module: FlowModule): string {
  const lines: string[] = [];
  for (const made of module.classes) lines.push(dumpClass(made));
  for (const made of module.functions) lines.push(...dumpFunction(made));
  if (module.constants.length > 0) lines.push(`constants ${fields(module.constants)}`);
  if (module.exports.length > 0) lines.push(`exports ${fields(module.exports)}`);
  for (const { from, name, as } of module.reexports) lines.push(`reexport ${name} as ${as} from ${from}`);
  for (const { line, rules } of module.ignores) lines.push(`ignore ${line}: ${rules.length === 0 ? "all" : rules.join(" ")}`);
  // Temporaries are numbered as they come.
  const numbers = new Map<string, number>();
  return lines.join("\n").replaceAll(/%\d+/g, (name) => {
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    return `%${numbers.get(name)}`;
  });
}

function dumpClass(made: FlowClass): string {
  const parts = [`${made.interface ? "interface" : "class"} ${made.name}`];
  if (made.bases.length > 0) parts.push(`: ${made.bases.map(show).join(", ")}`);
  const members = [
    ...made.fields.map(
      ({ name, type, value, static: fixed }) =>
        `${fixed ? "static " : ""}${name}${type ? `: ${show(type)}` : ""}${value ? ` = ${show(value)}` : ""}`,
    ),
    ...made.methods.map((method) => `${method.static ? "static " : ""}${method.name}() = function ${method.function}`),
    ...made.abstract.map(({ name, parameters }) => `abstract ${name}/${parameters}`),
    ...(made.constructor_ === undefined ? [] : [`constructor = function ${made.constructor_}`]),
  ];
  return `${parts.join("")} { ${members.join("; ")} }`;
}

function dumpFunction(made: FlowFunction): string[] {
  const words = [made.static && "static", made.async && "async", made.generator && "generator", made.kind].filter(Boolean).join(" ");
  const parameters = made.parameters.map(
    ({ name, type, rest, fallback }) =>
      `${rest ? "..." : ""}${plain(name)}${type ? `: ${show(type)}` : ""}${fallback ? ` = ${show(fallback)}` : ""}`,
  );
  const returns = made.returns ? `: ${show(made.returns)}` : "";
  return [
    `${made.index} ${words} ${made.name}(${parameters.join(", ")})${returns}`,
    ...made.blocks.flatMap((block, index) => dumpBlock(block, index)),
  ];
}

function dumpBlock(block: Block, index: number): string[] {
  const notes = [block.caught ? " caught" : "", block.handler === undefined ? "" : ` handler ${block.handler}`].join("");
  return [`  ${index}:${notes}`, ...block.events.map((event) => `    ${dumpEvent(event)}`), `    ${dumpExit(block.exit)}`];
}

function dumpEvent(event: Event): string {
  switch (event.event) {
    case "set":
      return `${plain(event.name)}${event.type ? `: ${show(event.type)}` : ""} = ${show(event.value)}`;
    case "store":
      return `${show(event.object)}.${event.name ?? "?"} <- ${show(event.value)}`;
    case "each":
      return `${plain(event.name)} = each ${event.keys ? "key " : ""}of ${show(event.of)}`;
    case "call": {
      const given = [...event.args.map(show), ...(event.spreads ?? []).map((spread) => `...${show(spread)}`)];
      const words = `${event.floating ? "floating " : ""}${event.construct ? "new " : ""}`;
      return `${event.result} = ${words}${show(event.callee)}(${given.join(", ")})`;
    }
    case "await":
      return `${event.name} = await ${show(event.value)}`;
    case "yield":
      return `yield ${show(event.value)}`;
    case "dispose":
      return `dispose ${show(event.value)}`;
  }
}

function dumpExit(exit: Exit): string {
  switch (exit.exit) {
    case "goto":
      return `-> ${exit.to}`;
    case "any":
      return `-> any of ${exit.to.join(", ")}`;
    case "branch":
      return `if ${dumpTest(exit.test)} -> ${exit.yes} else ${exit.no}`;
    case "end":
      return "end";
    default:
      return `${exit.exit}${exit.value ? ` ${show(exit.value)}` : ""}`;
  }
}

function dumpTest(test: Test): string {
  switch (test.test) {
    case "truthy":
      return show(test.of);
    case "equal":
      return `${show(test.left)} == ${show(test.right)}`;
    case "defined":
      return `defined ${test.written}${test.declared ? "" : " (undeclared)"}`;
    case "unknown":
      return `? ${test.of.map(show).join(", ")}`;
  }
}

export function show(operand: Operand): string {
  switch (operand.op) {
    case "text":
      return JSON.stringify(operand.text);
    case "literal":
      return String(operand.value);
    case "nothing":
      return "nothing";
    case "name":
      return plain(operand.name);
    case "this":
      return "this";
    case "import":
      return `<${operand.from}#${operand.name}>`;
    case "global":
      return `$${operand.name}`;
    case "concat":
      return `concat(${operand.parts.map(show).join(", ")})`;
    case "member":
      return `${show(operand.of)}.${operand.name}`;
    case "element":
      return `${show(operand.of)}[${show(operand.key)}]`;
    case "object":
      return `{${[fields(operand.fields), ...operand.spreads.map((spread) => `...${show(spread)}`)].filter((part) => part !== "").join(", ")}}`;
    case "list":
      return `[${operand.items.map(show).join(", ")}]`;
    case "spread":
      return `...${show(operand.of)}`;
    case "either":
      return `either(${operand.of.map(show).join(", ")})`;
    case "function":
      return `function ${operand.index}`;
    case "class":
      return `class ${operand.index}`;
    case "opaque":
      return `?(${operand.of.map(show).join(", ")})`;
  }
}

function fields(of: FlowModule["exports"]): string {
  return of.map(({ name, value }) => `${plain(name)}: ${show(value)}`).join(", ");
}

/** `path@12` is `path` to people, as long as they don't shadow. */
function plain(name: string): string {
  return name.replace(/@\d+$/u, "");
}
