/** The language of the terminal, as far as there is a bundle for it beside this program. */
import fs from "node:fs";
import { config } from "@vscode/l10n";

/** Looks at `LC_ALL`, `LC_MESSAGES` and `LANG`, in this order, as programs do: `de_DE.UTF-8` asks for `bundle.l10n.de.json`. */
export function loadTranslation(environment: NodeJS.ProcessEnv = process.env): void {
  const locale = environment["LC_ALL"] || environment["LC_MESSAGES"] || environment["LANG"] || "";
  const language = /^[a-z]{2,3}(?![a-z])/i.exec(locale)?.[0].toLowerCase();
  if (language === undefined || language === "en") return;
  const bundle = new URL(`../l10n/bundle.l10n.${language}.json`, import.meta.url);
  if (fs.existsSync(bundle)) config({ contents: fs.readFileSync(bundle, "utf8") });
}
