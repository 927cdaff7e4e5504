/**
 * The other process of {@link openWriter} (workspace.ts): holds a connection open and executes what it finds in its mailbox.
 * `node databaseWriter.ts <database> <mailbox>`: a request is `<n>.sql`, its answer `<n>.done` with the error or nothing.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const [path = "", mailbox = ""] = process.argv.slice(2);
const database = new DatabaseSync(path);
// Without automatic checkpoints everything that is written stays in the WAL until this connection closes.
database.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA ignore_check_constraints = ON");

// The parent holds the other end of this pipe: when it is gone, so is the reason to be here.
process.stdin.on("end", () => process.exit()).resume();
serve(0);

function serve(request: number): void {
  const file = join(mailbox, `${request}.sql`);
  if (!existsSync(file)) {
    setTimeout(serve, 1, request);
    return;
  }
  const sql = readFileSync(file, "utf8");
  const stop = sql === "";
  answer(request, () => (stop ? database.close() : database.exec(sql)));
  if (stop) process.exit();
  serve(request + 1);
}

function answer(request: number, work: () => void): void {
  let message = "";
  try {
    work();
  } catch (error) {
    message = String(error);
  }
  writeFileSync(join(mailbox, "answer"), message);
  renameSync(join(mailbox, "answer"), join(mailbox, `${request}.done`));
}
