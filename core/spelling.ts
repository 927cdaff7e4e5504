/** What somebody may have meant who wrote a name that is not known. */

export interface Close {
  readonly name: string;
  /** How many letters are missing, too many or others. */
  readonly distance: number;
}

/** The known name that is written most alike, upper and lower case being the same. Undefined where nothing is known. */
export function closestTo(word: string, known: readonly string[]): Close | undefined {
  return known
    .map((name) => ({ name, distance: editDistance(word.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
