/** Damage to source text as data, so that what fails can be shrunk: fast-check makes the data, {@link mutate} does what it says. */
import fc from "fast-check";

/** Places are any numbers; they are taken modulo the number of tokens, so that every mutation fits every text. */
export type Mutation =
  | { readonly kind: "delete"; readonly at: number; readonly count: number }
  | { readonly kind: "duplicate"; readonly at: number; readonly count: number; readonly times: number; readonly to: number }
  | { readonly kind: "swap"; readonly at: number; readonly count: number; readonly to: number }
  | { readonly kind: "insert"; readonly at: number; readonly text: string }
  | { readonly kind: "rename"; readonly at: number; readonly to: number }
  | { readonly kind: "nest"; readonly at: number; readonly count: number; readonly pair: readonly [string, string]; readonly depth: number }
  /** Puts tokens of another text in. */
  | { readonly kind: "splice"; readonly at: number; readonly cut: number; readonly from: number; readonly count: number };

const TOKEN = /[\p{ID_Start}$_][\p{ID_Continue}$]*|\d+|\s+|"[^"\n]*"|'[^'\n]*'|\/\/.*|=>|\.\.\.|\?\.|&&|\|\||[=!]==?|./gsu;
const NAME = /^[\p{ID_Start}$_]/u;

const BRACKETS = ["{", "}", "(", ")", "[", "]", "`", "'", '"', "/*", "*/", "${", "<", ">", "=>", ";", ",", "...", "//"] as const;
const KEYWORDS = [
  "await ",
  "return ",
  "try{",
  "}catch{",
  "}finally{",
  "for(;;){",
  "while(true){",
  "do{",
  "class A extends ",
  "throw ",
  "yield ",
  "async ",
  "function f(){",
  "continue;",
  "break;",
  "using x=",
  "export default ",
  "this.",
  "new ",
  "export * from './a';",
] as const;
const PAIRS = [
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
  ["({a:", "})"],
  ["(()=>", ")()"],
  ["if(a)", ""],
  ["if(a){", "}else{f()}"],
  ["try{", "}finally{f()}"],
  ["try{", "}catch{f()}"],
  ["await f(", ")"],
  ["for(const a of b){", "}"],
  ["while(a){", "}"],
  ["switch(a){case 1:", "}"],
  ["a?", ":b"],
  ["function f(){", "}"],
  ["new Promise((done)=>", ")"],
  ["f().then(()=>", ")"],
  ["`${", "}`"],
  ["!", ""],
  ["x=", ""],
] as const;

const place = fc.nat();
const some = fc.integer({ min: 1, max: 12 });
const many = fc.integer({ min: 1, max: 150 });

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant("delete" as const), at: place, count: some }),
  fc.record({ kind: fc.constant("duplicate" as const), at: place, count: many, times: fc.integer({ min: 1, max: 5 }), to: place }),
  fc.record({ kind: fc.constant("swap" as const), at: place, count: some, to: place }),
  fc.record({
    kind: fc.constant("insert" as const),
    at: place,
    text: fc.oneof(
      fc.constantFrom(...BRACKETS),
      fc.constantFrom(...KEYWORDS),
      fc.string({ unit: "binary", maxLength: 8 }),
      // Halves of surrogate pairs, line separators, a byte order mark, NUL.
      fc.constantFrom("\uD83D", "\uDE00", "\u2028", "\u2029", "\uFEFF", "\0", "\r", "\u200D", "é".normalize("NFD"), "\u202E"),
    ),
  }),
  fc.record({ kind: fc.constant("rename" as const), at: place, to: place }),
  fc.record({
    kind: fc.constant("nest" as const),
    at: place,
    count: fc.integer({ min: 0, max: 40 }),
    pair: fc.constantFrom(...PAIRS),
    depth: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: 41, max: 3000 }) },
    ),
  }),
  fc.record({ kind: fc.constant("splice" as const), at: place, cut: fc.integer({ min: 0, max: 60 }), from: place, count: many }),
);

/** The text with all mutations done, one after the other. `other` is where spliced tokens come from. */
export function mutate(text: string, mutations: readonly Mutation[], other: string): string {
  const others = tokensOf(other);
  let tokens = tokensOf(text);
  for (const one of mutations) tokens = apply(tokens, one, others);
  return tokens.join("");
}

function apply(tokens: readonly string[], mutation: Mutation, others: readonly string[]): string[] {
  const at = mutation.at % (tokens.length + 1);
  switch (mutation.kind) {
    case "delete":
      return tokens.toSpliced(at, mutation.count);
    case "duplicate": {
      const block = tokens.slice(at, at + mutation.count);
      const copies = Array.from({ length: mutation.times }, () => block).flat();
      return tokens.toSpliced(mutation.to % (tokens.length + 1), 0, ...copies);
    }
    case "swap": {
      const to = mutation.to % (tokens.length + 1);
      const [first, second] = at < to ? [at, to] : [to, at];
      const count = Math.min(mutation.count, second - first);
      return [
        ...tokens.slice(0, first),
        ...tokens.slice(second, second + count),
        ...tokens.slice(first + count, second),
        ...tokens.slice(first, first + count),
        ...tokens.slice(second + count),
      ];
    }
    case "insert":
      return tokens.toSpliced(at, 0, mutation.text);
    case "rename": {
      const names = [...new Set(tokens.filter((token) => NAME.test(token)))];
      const [from, to] = [names[mutation.at % names.length], names[mutation.to % names.length]];
      return tokens.map((token) => (token === from && to !== undefined ? to : token));
    }
    case "nest": {
      const [open, close] = mutation.pair;
      const inner = tokens.slice(at, at + mutation.count);
      return tokens.toSpliced(at, mutation.count, open.repeat(mutation.depth), ...inner, close.repeat(mutation.depth));
    }
    default: {
      const from = mutation.from % (others.length + 1);
      return tokens.toSpliced(at, mutation.cut, ...others.slice(from, from + mutation.count));
    }
  }
}

function tokensOf(text: string): string[] {
  return text.match(TOKEN) ?? [];
}
