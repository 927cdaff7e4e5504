/** Who asks the remote storage about uploads. Its libraries are large, so they are loaded when a store has an address, and not before. */
import type { Config } from "../core/config/config.ts";
import type { UploadVerifier } from "../core/uploads.ts";
import type { Session } from "./session.ts";

/** Absent where nothing is to be asked, and in an untrusted workspace, whose addresses are not asked (R82). */
export async function verifierFor(session: Session, config: Config): Promise<{ readonly verifier?: UploadVerifier }> {
  if (!session.trusted || !hasAddresses(config)) return {};
  session.verifier ??= loadVerifier(session);
  return { verifier: await session.verifier };
}

export async function closeVerifier(session: Session): Promise<void> {
  const verifier = await session.verifier;
  session.verifier = undefined;
  await verifier?.[Symbol.asyncDispose]();
}

async function loadVerifier({ environment, now }: Session): Promise<UploadVerifier> {
  const { createUploadVerifier } = await import("../core/remote/verifier.ts");
  return createUploadVerifier({ environment, now });
}

function hasAddresses({ stores, databases }: Config): boolean {
  return stores.some((store) => store.upload !== undefined) || databases.some((database) => Object.keys(database.uploads).length > 0);
}
