/** Text in columns. */

/** One line a row, columns as wide as their longest cell; those in `numbers` end together. The last one is not padded. */
export function alignColumns(rows: readonly (readonly string[])[], numbers: ReadonlySet<number>): string[] {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) => rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0));
  const pad = (cell: string, column: number): string =>
    numbers.has(column) ? cell.padStart(widths[column] ?? 0) : column === columns - 1 ? cell : cell.padEnd(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join("  "));
}
