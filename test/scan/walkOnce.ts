/** Run as another user by faults.test.ts: walks `ROOT TEMPLATE` and prints what it found. */
import { storeAt, walk } from "./collect.ts";

const [root = "", template = ""] = process.argv.slice(2);
const { found, problems } = await walk([storeAt(root, "s", template)], { workers: 0 });
process.stdout.write(JSON.stringify({ found, problems }));
