/**
 * Finds the few files that are worth parsing. One pass over a file's bytes runs an automaton over all tokens at once
 * (Aho and Corasick, 1975) and notes every identifier in a Bloom filter, so that later questions about names need not
 * read all files again.
 */
import type { Sources } from "../scan.ts";

export interface Prefilter {
  /** The files that contain at least one of the tokens, sorted. Throws the signal's reason when it is aborted. */
  candidates(options?: PassOptions): readonly string[];
  /** Those of the tokens that the file contains. */
  tokensOf(file: string): readonly string[];
  /** The files that contain at least one of the words as a whole word, sorted. Words are identifiers, or several with signs between. */
  filesContaining(words: readonly string[], also?: (file: string) => boolean): readonly string[];
  /** Whether the file is one of {@link candidates}. */
  isCandidate(file: string): boolean;
  /** Whether the file contains one of the words. */
  contains(file: string, words: readonly string[]): boolean;
  /** Whether the file may contain the word; a few files that do not are let through. Much cheaper than reading it. */
  mayContain(file: string, word: string): boolean;
  /** Whether the file has an import of a directory that does not name it: `"."`, `"../.."`. */
  importsUnnamed(file: string): boolean;
  /** Whether the file may pass on all that another file exports. */
  passesOn(file: string): boolean;
}

export interface PassOptions {
  readonly signal?: AbortSignal;
  readonly onFile?: (done: number, total: number) => void;
}

interface Facts {
  readonly version: string;
  readonly tokens: readonly string[];
  readonly unnamed: boolean;
  readonly passesOn: boolean;
  /** Nobody wrote it by hand: a bundle, a minified library. */
  readonly generated: boolean;
  /** Bits of a Bloom filter; their number is a power of two. */
  readonly words: Uint32Array;
}

/** Numbers of the tokens found, and the Bloom filter. */
type Scan = (bytes: Uint8Array) => { readonly tokens: readonly number[]; readonly words: Uint32Array };

const UNNAMED = ['"', "'", "`"].flatMap((quote) => [`${quote}.${quote}`, `./${quote}`, `..${quote}`]);
const PASSES_ON = ["export *", "export*", "module.exports", "exports)"];
const ENDS_IN_WORD = /[\p{ID_Continue}$\u200c\u200d]$/u;
const STARTS_WITH_WORD = /^[\p{ID_Continue}$\u200c\u200d]/u;

/** Tokens are found wherever they stand, within words and comments, too. */
export function createPrefilter(sources: Sources, tokens: readonly string[]): Prefilter {
  const known = new Map<string, Facts>();
  const unnamedFrom = tokens.length;
  const passesOnFrom = unnamedFrom + UNNAMED.length;
  const scan = compileScan([...tokens, ...UNNAMED, ...PASSES_ON]);

  const factsOf = (file: string): Facts => {
    const facts = known.get(file);
    if (facts && facts.version === sources.version(file)) return facts;
    const bytes = sources.bytes(file);
    const found = scan(bytes);
    const generated = isMinified(bytes);
    const fresh: Facts = {
      version: sources.version(file),
      generated,
      tokens: found.tokens.filter((token) => token < unnamedFrom).map((token) => tokens[token] ?? ""),
      unnamed: found.tokens.some((token) => token >= unnamedFrom && token < passesOnFrom),
      passesOn: found.tokens.some((token) => token >= passesOnFrom),
      words: found.words,
    };
    known.set(file, fresh);
    return fresh;
  };
  const mayContain = (file: string, hashes: readonly number[]): boolean => {
    const { words } = factsOf(file);
    return hashes.every((hash) => hasBits(words, hash));
  };

  const find = (file: string, wanted: ReturnType<typeof wordsToFind>, also?: (file: string) => boolean): boolean => {
    if (factsOf(file).generated) return false;
    const possible = wanted.filter(({ hashes }) => mayContain(file, hashes));
    if (possible.length === 0 || also?.(file) === false) return false;
    const text = sources.read(file);
    return possible.some(({ word }) => containsWord(text, word));
  };

  const isCandidate = (file: string): boolean => {
    const { tokens: found, generated } = factsOf(file);
    return found.length > 0 && !generated;
  };

  return {
    isCandidate,
    candidates({ signal, onFile } = {}) {
      const files = sources.files(signal);
      // What was listed once and is gone must not pile up in a long session.
      if (known.size > files.length) for (const file of known.keys()) if (!sources.has(file)) known.delete(file);
      return files.filter((file, index) => {
        signal?.throwIfAborted();
        onFile?.(index + 1, files.length);
        return isCandidate(file);
      });
    },
    tokensOf: (file) => factsOf(file).tokens,
    filesContaining(words, also) {
      const wanted = wordsToFind(words);
      return sources.files().filter((file) => find(file, wanted, also));
    },
    contains: (file, words) => find(file, wordsToFind(words)),
    mayContain: (file, word) => mayContain(file, hashWords(word)),
    importsUnnamed: (file) => factsOf(file).unnamed,
    passesOn: (file) => factsOf(file).passesOn,
  };
}

/** Lines as no one writes them. */
function isMinified(bytes: Uint8Array): boolean {
  if (bytes.length < 10_000) return false;
  let lines = 1;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
  return bytes.length / lines > 250;
}

function wordsToFind(words: readonly string[]): { readonly word: string; readonly hashes: readonly number[] }[] {
  return [...new Set(words)].filter((word) => word !== "").map((word) => ({ word, hashes: hashWords(word) }));
}

/** Whether the word stands in the text with no part of an identifier beside it. */
function containsWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (
      !ENDS_IN_WORD.test(text.slice(Math.max(0, at - 2), at)) &&
      !STARTS_WITH_WORD.test(text.slice(at + word.length, at + word.length + 2))
    )
      return true;
  }
  return false;
}

/** Bytes that count as parts of words. All others end one, so a word with letters beyond ASCII counts as several. */
const PART = Uint8Array.from({ length: 256 }, (_, byte) => (/[\w$]/.test(String.fromCharCode(byte)) && byte < 128 ? 1 : 0));

function compileScan(tokens: readonly string[]): Scan {
  const { next, accepting, found } = buildAutomaton(tokens.map((token) => Buffer.from(token)));
  const marked = new Uint8Array(found.length);

  return (bytes) => {
    const { length } = bytes;
    // Some ten bits for each distinct identifier of common code: about one answer in eighty is wrong.
    const bits = 1 << Math.max(6, 32 - Math.clz32(length >> 2));
    const words = new Uint32Array(bits >>> 5);
    const states: number[] = [];
    let state = 0;
    for (let at = 0; at < length; at++) {
      let byte = bytes[at]!;
      let hash = 0;
      do {
        state = next[(state << 8) | byte]!;
        if (state >= accepting && marked[state] === 0) {
          marked[state] = 1;
          states.push(state);
        }
        if (PART[byte] === 0) break;
        hash = (Math.imul(hash, 31) + byte) | 0;
        byte = ++at < length ? bytes[at]! : -1;
      } while (byte >= 0);
      if (hash !== 0) addBits(words, hash);
    }
    for (const state of states) marked[state] = 0;
    return { tokens: states.length === 0 ? [] : [...new Set(states.flatMap((state) => found[state] ?? []))], words };
  };
}

interface Automaton {
  /** The state after a state (upper bits) and a byte (lower eight). */
  readonly next: Uint16Array | Uint32Array;
  /** States from this one on have found something. */
  readonly accepting: number;
  /** Which tokens end in a state. */
  readonly found: readonly (readonly number[])[];
}

function buildAutomaton(tokens: readonly Uint8Array[]): Automaton {
  const children: Map<number, number>[] = [new Map()];
  const ends: number[][] = [[]];
  for (const [index, token] of tokens.entries()) {
    if (token.length === 0) continue;
    let state = 0;
    for (const byte of token) {
      let child = children[state]!.get(byte);
      if (child === undefined) {
        child = children.push(new Map()) - 1;
        ends.push([]);
        children[state]!.set(byte, child);
      }
      state = child;
    }
    ends[state]!.push(index);
  }

  // In breadth-first order a state's fallback (the longest suffix that is a state, too) is complete before the state itself.
  const fallbacks = [0];
  const order = [0];
  const rows: Uint32Array[] = [];
  for (const state of order) {
    const fallback = fallbacks[state]!;
    const row = state === 0 ? new Uint32Array(256) : rows[fallback]!.slice();
    if (state !== 0) ends[state]!.push(...ends[fallback]!);
    for (const [byte, child] of children[state]!) {
      fallbacks[child] = row[byte]!;
      row[byte] = child;
      order.push(child);
    }
    rows[state] = row;
  }

  // States that have found something come last, so that one comparison tells.
  const sorted = [...order.filter((state) => ends[state]!.length === 0), ...order.filter((state) => ends[state]!.length > 0)];
  const place = new Uint32Array(sorted.length);
  for (const [index, state] of sorted.entries()) place[state] = index;
  const next = sorted.length <= 65_536 ? new Uint16Array(sorted.length << 8) : new Uint32Array(sorted.length << 8);
  for (const [index, state] of sorted.entries()) {
    const row = rows[state]!;
    for (let byte = 0; byte < 256; byte++) next[(index << 8) | byte] = place[row[byte]!]!;
  }
  const accepting = sorted.findIndex((state) => ends[state]!.length > 0);
  return { next, accepting: accepting < 0 ? sorted.length : accepting, found: sorted.map((state) => ends[state]!) };
}

/** One hash for each part of the word that a scan sees. */
function hashWords(word: string): readonly number[] {
  const parts = word.match(/[\w$]+/g) ?? [];
  return parts.map((part) => {
    let hash = 0;
    for (let at = 0; at < part.length; at++) hash = (Math.imul(hash, 31) + part.charCodeAt(at)) | 0;
    return hash;
  });
}

function addBits(words: Uint32Array, hash: number): void {
  const mask = (words.length << 5) - 1;
  const mixed = Math.imul(hash, 0x9e3779b1);
  const first = (mixed >>> 7) & mask;
  const second = (mixed ^ (mixed >>> 16)) & mask;
  words[first >>> 5]! |= 1 << (first & 31);
  words[second >>> 5]! |= 1 << (second & 31);
}

function hasBits(words: Uint32Array, hash: number): boolean {
  if (hash === 0) return true;
  const mask = (words.length << 5) - 1;
  const mixed = Math.imul(hash, 0x9e3779b1);
  const first = (mixed >>> 7) & mask;
  const second = (mixed ^ (mixed >>> 16)) & mask;
  return ((words[first >>> 5]! >>> (first & 31)) & 1) === 1 && ((words[second >>> 5]! >>> (second & 31)) & 1) === 1;
}
