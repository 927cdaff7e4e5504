/** Signing in to Azure as whoever runs this: large, and needed only where the environment holds no key. */
import { DefaultAzureCredential, type TokenCredential } from "@azure/identity";

export function openCredential(): TokenCredential {
  return new DefaultAzureCredential();
}
