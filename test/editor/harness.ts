import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { findBrowser } from "../../scripts/browser.mjs";
import { isInstalled, serverMain, serverNode } from "../../tools/vscode/install.mjs";
import { poll } from "./poll.ts";

const root = path.resolve(import.meta.dirname, "../..");

/** The packaged extension, as `npm run package` leaves it. */
const packagedExtension = path.join(root, "dist/offcut.vsix");

/** Grammars and a theme only: every other built-in extension costs start-up time and registers providers that disturb ours. */
const builtinExtensions = ["theme-defaults", "json", "markdown-basics", "typescript-basics", "javascript", "python", "yaml"];

const quietSettings = {
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "extensions.ignoreRecommendations": true,
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.enableExperiments": false,
  "workbench.tips.enabled": false,
  "workbench.reduceMotion": "on",
  "chat.disableAIFeatures": true,
  "git.enabled": false,
  "security.workspace.trust.startupPrompt": "never",
};

export interface VSCodeOptions {
  /** The directory (or `.code-workspace` file) to open. It is used in place: give each test its own. */
  readonly workspace: string;
  /** Extension packages to install first, as users install them. Default: ours. */
  readonly vsix?: readonly string[];
  /** False opens the workspace in Restricted Mode. Default: trust is switched off altogether, so everything is trusted. */
  readonly trust?: boolean;
  /** Built-in extensions on top of grammars and a theme. */
  readonly builtins?: readonly string[];
  /** Environment variables of the server, and so of the extension host and the language server. */
  readonly env?: Readonly<Record<string, string>>;
  /** User settings on top of the quiet ones. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The folder below `test-artifacts/` for screenshots and logs. Default: the workspace's name. */
  readonly name?: string;
}

export interface VSCode extends AsyncDisposable {
  /** The workbench. Use the page objects of `pages.ts` before reaching for it. */
  readonly page: Page;
  /** What the server has printed so far. */
  readonly serverLog: () => string;
  /** Addresses that the page tried to reach and was refused, because they are not our own server. */
  readonly refusedRequests: ReadonlySet<string>;
  /** Saves `<name>.png` among the artifacts and returns its path. */
  readonly screenshot: (name: string) => Promise<string>;
  /** Loads the window again, as "Developer: Reload Window" does; the extension host starts anew. */
  readonly reload: () => Promise<void>;
  /** Ends browser and server, and leaves `last.png`, `server.log` and VS Code's logs among the artifacts. Harmless when repeated. */
  readonly dispose: () => Promise<void>;
}

const running = new Set<Session>();

// A failing test leaves a picture of what it saw. Sessions that end inside the test leave `last.png` instead.
if (typeof afterEach === "function") {
  afterEach("save what a failing test saw", async function () {
    if (this.currentTest?.state !== "failed") return;
    for (const session of running) await session.takePicture(`failure ${this.currentTest.title}`).catch(console.error);
  });
}

// The last resort when the test process ends without disposing: nothing may stay behind.
process.on("exit", () => {
  for (const session of running) {
    session.killServer("SIGKILL");
    rmSync(session.scratch, { recursive: true, force: true, maxRetries: 5 });
  }
});

/**
 * Starts VS Code's own server (with its real extension host) on the loopback interface, and a headless browser with the workbench.
 * Resolves when the workbench shows; extensions may still be starting, which the page objects wait for.
 */
export async function startVSCode(options: VSCodeOptions): Promise<VSCode> {
  if (!isInstalled()) throw new Error("The VS Code test server is not installed. Run: node tools/vscode/install.mjs");
  const session = await createSession(options);
  try {
    const port = await session.startServer();
    const page = await session.openBrowser(port);
    return {
      page,
      refusedRequests: session.refusedRequests,
      serverLog: () => session.log,
      screenshot: (name) => session.takePicture(name),
      async reload() {
        await page.reload();
        await waitForWorkbench(page);
      },
      dispose: () => session.end(),
      [Symbol.asyncDispose]: () => session.end(),
    };
  } catch (error) {
    await session.takePicture("failure").catch(() => undefined); // (there may be no page yet)
    await session.end();
    throw new Error(`VS Code did not start; see ${session.artifacts}. Its server said:\n${session.log.slice(-4000)}`, { cause: error });
  }
}

interface Session {
  /** Everything that VS Code writes, outside the workspace. */
  readonly scratch: string;
  readonly artifacts: string;
  readonly refusedRequests: Set<string>;
  readonly log: string;
  startServer(): Promise<number>;
  openBrowser(port: number): Promise<Page>;
  takePicture(name: string): Promise<string>;
  killServer(signal: NodeJS.Signals): void;
  end(): Promise<void>;
}

async function createSession(options: VSCodeOptions): Promise<Session> {
  const workspace = await fs.realpath(options.workspace);
  const artifacts = path.join(root, "test-artifacts", fileName(options.name ?? path.basename(workspace)));
  await fs.rm(artifacts, { recursive: true, force: true });
  await fs.mkdir(artifacts, { recursive: true });
  const scratch = await fs.mkdtemp(path.join(os.tmpdir(), "offcut-vscode-"));
  const data = path.join(scratch, "server-data");
  await prepareScratch(scratch, data, options);

  const refusedRequests = new Set<string>();
  let log = "";
  let server: ChildProcess | undefined;
  let browser: Browser | undefined;
  let page: Page | undefined;
  let ending: Promise<void> | undefined;

  const session: Session = {
    scratch,
    artifacts,
    refusedRequests,
    get log() {
      return log;
    },

    async startServer() {
      const vsix = options.vsix ?? [packagedExtension];
      server = spawn(serverNode, [serverMain, ...serverFlags(scratch, data, vsix, options.trust ?? true)], {
        cwd: scratch,
        detached: true, // Its own process group: server, extension hosts and language servers end together.
        env: serverEnvironment(scratch, options.env),
        stdio: ["ignore", "pipe", "pipe"],
      });
      running.add(session);
      for (const stream of [server.stdout, server.stderr]) stream?.on("data", (chunk: Buffer) => (log += chunk.toString()));
      let failure: Error | undefined;
      server.once("error", (error) => (failure = error));
      // The server listens first and installs then.
      const port = await poll("the server to listen and to install the extensions", () => {
        if (failure) throw failure;
        if (server?.exitCode !== null || server.signalCode !== null) throw new Error("The VS Code server ended.");
        if (/Failed Installing Extensions|Error while installing/i.test(log)) throw new Error("An extension could not be installed.");
        const installed = log.match(/was successfully installed/g)?.length ?? 0;
        return installed >= vsix.length && /Extension host agent listening on (\d+)/.exec(log)?.[1];
      });
      return Number(port);
    },

    async openBrowser(port) {
      browser = await launchBrowser();
      const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, locale: "en-US", reducedMotion: "reduce" });
      await context.route(
        (url) => url.hostname !== "127.0.0.1",
        (route) => {
          refusedRequests.add(route.request().url());
          return route.abort();
        },
      );
      page = await context.newPage();
      page.setDefaultTimeout(30_000);
      const url = new URL(`http://127.0.0.1:${port}/`);
      url.searchParams.set(workspace.endsWith(".code-workspace") ? "workspace" : "folder", workspace);
      await page.goto(url.href);
      await waitForWorkbench(page);
      return page;
    },

    async takePicture(name) {
      if (!page) throw new Error("There is no page to take a picture of.");
      const file = path.join(artifacts, `${fileName(name)}.png`);
      await page.screenshot({ path: file, animations: "disabled", timeout: 10_000 });
      return file;
    },

    killServer(signal) {
      if (!server?.pid) return;
      try {
        process.kill(-server.pid, signal);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error; // (the group has ended already)
      }
    },

    end() {
      ending ??= (async () => {
        await session.takePicture("last").catch(() => undefined); // (a crashed page has no picture; the logs remain)
        await browser?.close();
        if (server && server.exitCode === null && server.signalCode === null) {
          const exited = once(server, "exit");
          session.killServer("SIGTERM");
          const hard = setTimeout(() => session.killServer("SIGKILL"), 5_000);
          await exited;
          clearTimeout(hard);
        }
        session.killServer("SIGKILL"); // Whoever of the group ignored the first signal.
        running.delete(session);
        await fs.writeFile(path.join(artifacts, "server.log"), log);
        await copyLogs(path.join(data, "data/logs"), path.join(artifacts, "logs"));
        await fs.rm(scratch, { recursive: true, force: true, maxRetries: 5 });
      })();
      return ending;
    },
  };
  return session;
}

async function prepareScratch(scratch: string, data: string, options: VSCodeOptions): Promise<void> {
  const builtins = path.join(scratch, "builtins");
  const user = path.join(data, "data/User");
  for (const folder of [builtins, user, path.join(scratch, "home")]) await fs.mkdir(folder, { recursive: true });
  for (const name of [...builtinExtensions, ...(options.builtins ?? [])]) {
    await fs.symlink(path.resolve(serverMain, "../../extensions", name), path.join(builtins, name));
  }
  await fs.writeFile(path.join(user, "settings.json"), JSON.stringify({ ...quietSettings, ...options.settings }));
}

function serverFlags(scratch: string, data: string, vsix: readonly string[], trust: boolean): string[] {
  return [
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--without-connection-token",
    "--server-data-dir",
    data,
    "--builtin-extensions-dir",
    path.join(scratch, "builtins"),
    "--accept-server-license-terms",
    "--telemetry-level",
    "off",
    "--force-disable-user-env",
    "--disable-experiments",
    ...(trust ? ["--disable-workspace-trust"] : []),
    ...vsix.flatMap((file) => ["--install-extension", path.resolve(file)]),
    ...(vsix.length > 0 ? ["--start-server"] : []),
  ];
}

function serverEnvironment(scratch: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    LANG: "C.UTF-8",
    HOME: path.join(scratch, "home"),
    TMPDIR: scratch,
    XDG_RUNTIME_DIR: scratch,
    EXTENSIONS_GALLERY: '{"serviceUrl":""}', // No marketplace.
    ...more,
  };
}

function launchBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  if (!executablePath) throw new Error("No Chromium or Chrome found. Run: node scripts/browser.mjs");
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox", // Chromium refuses to run as root otherwise; it shows nothing but our own server.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
    ],
  });
}

async function waitForWorkbench(page: Page): Promise<void> {
  await page.locator(".monaco-workbench .part.statusbar").waitFor({ timeout: 60_000 });
}

async function copyLogs(from: string, to: string): Promise<void> {
  const exists = await fs.stat(from).then(
    () => true,
    () => false,
  );
  if (exists) await fs.cp(from, to, { recursive: true });
}

function fileName(title: string): string {
  return title.replace(/[^\w.-]+/g, "-").slice(0, 80);
}
