/** The server's entry for editors: `--stdio`, `--node-ipc`, `--pipe=…` or `--socket=…` on the command line says how it is spoken to. */
import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { startServer } from "./server.ts";

startServer({ connection: createConnection(ProposedFeatures.all) });
