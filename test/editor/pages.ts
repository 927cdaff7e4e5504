import type { FrameLocator, Locator, Page } from "playwright-core";
import { poll, retry } from "./poll.ts";

// Page objects of the workbench: they wait for what they need and never for a fixed time. A string means the exact text, a regular
// expression a part of it.

/** Runs a command through the Command Palette, as its full label shows there ("Offcut: Preview Cleanup"). */
export async function runCommand(page: Page, label: string): Promise<void> {
  // An open palette ignores commands that are registered later, so it is opened again until the command is there.
  await retry(async () => {
    await page.keyboard.press("Escape");
    await page.keyboard.press("F1");
    await quickInput(page).fill(`>${label}`, { timeout: 5_000 });
    await quickPickRow(page, label).click({ timeout: 2_000 });
  });
}

/** Commands that the palette offers for a text, of which at least one must contain it: to see that one is absent, ask for its neighbours. */
export async function listCommands(page: Page, text: string): Promise<string[]> {
  await page.keyboard.press("F1");
  await quickInput(page).fill(`>${text}`);
  const rows = page.locator(".quick-input-list .monaco-list-row .label-name");
  let before: string[] = [];
  // The list may still show what it had before the text: two equal readings mean that it has settled.
  const labels = await poll(`commands with "${text}"`, async () => {
    const now = await rows.allTextContents();
    const settled = now.some((label) => label.includes(text)) && now.join("\n") === before.join("\n");
    before = now;
    return settled && now;
  });
  await page.keyboard.press("Escape");
  return labels;
}

/** Chooses an entry of the quick pick that is open or about to open. */
export async function pick(page: Page, label: string | RegExp): Promise<void> {
  await quickPickRow(page, label).click();
}

/** Types into the input box that is open or about to open, and confirms. */
export async function answer(page: Page, text: string): Promise<void> {
  await quickInput(page).fill(text);
  await page.keyboard.press("Enter");
}

/** Shows a view container by its title in the activity bar, and resolves when it shows. */
export async function openView(page: Page, title: string): Promise<void> {
  // A badge or a key binding follows the title in the name: "Offcut - 12 files", "Explorer (Ctrl+Shift+E)".
  const tab = page.locator(".part.activitybar").getByRole("tab", { name: new RegExp(`^${escape(title)}( [-(].*)?$`) });
  await retry(async () => {
    // A click on the open one would close it.
    if ((await tab.getAttribute("aria-selected")) !== "true") await tab.click({ timeout: 5_000 });
    await page.locator(".part.sidebar .title-label", { hasText: new RegExp(escape(title), "i") }).waitFor({ timeout: 3_000 });
  });
}

/** One view of the open view container, unfolded: the place to look for tree items when several trees show. */
export async function openPane(page: Page, title: string): Promise<Locator> {
  const pane = page.locator(".part.sidebar .pane").filter({ has: page.locator(".pane-header .title", { hasText: exactly(title) }) });
  const header = pane.locator(".pane-header");
  await retry(async () => {
    if ((await header.getAttribute("aria-expanded")) === "false") await header.click({ timeout: 3_000 });
    await pane.locator(".pane-header[aria-expanded=true]").waitFor({ timeout: 3_000 });
  });
  return pane;
}

export interface TreeItem {
  /** The row itself, for anything not covered here. */
  readonly row: Locator;
  readonly waitFor: () => Promise<void>;
  readonly waitUntilGone: () => Promise<void>;
  readonly expand: () => Promise<void>;
  readonly select: () => Promise<void>;
  /** The grey text beside the label. */
  readonly description: () => Promise<string>;
  /** Clicks one of the buttons that show while the mouse is over the row. */
  readonly runAction: (title: string) => Promise<void>;
  /** Chooses an entry of the context menu. */
  readonly runMenuEntry: (title: string) => Promise<void>;
  /** The text of the tooltip, once it matches: another one may still be fading. */
  readonly tooltip: (expected?: RegExp) => Promise<string>;
}

/** An item of a tree by its label. Trees draw only the rows in sight: fold what is long. `within` narrows the search to one pane. */
export function treeItem(page: Page, label: string | RegExp, within: Page | Locator = page): TreeItem {
  const row = within
    .getByRole("treeitem")
    .filter({ has: page.locator(".label-name", { hasText: exactly(label) }) })
    .first();
  return {
    row,
    waitFor: () => row.waitFor(),
    waitUntilGone: () => row.waitFor({ state: "detached" }),
    expand: () =>
      retry(async () => {
        if ((await row.getAttribute("aria-expanded")) !== "true") await row.locator(".monaco-tl-twistie").click({ timeout: 3_000 });
        await poll("the tree item to unfold", async () => (await row.getAttribute("aria-expanded")) === "true", 3_000);
      }),
    select: () => row.locator(".label-name").click(),
    description: async () => (await row.locator(".label-description").textContent()) ?? "",
    async runAction(title) {
      await row.hover();
      await row.getByRole("button", { name: new RegExp(`^${escape(title)}`) }).click();
    },
    async runMenuEntry(title) {
      const entry = page.locator(".monaco-menu .action-item:visible", { hasText: title });
      await row.locator(".label-name").click({ button: "right" });
      await entry.waitFor();
      // A menu ignores the mouse for a moment after it opens.
      await retry(async () => {
        if (!(await entry.isVisible())) return;
        await entry.click({ timeout: 1_000 });
        await entry.waitFor({ state: "hidden", timeout: 500 });
      });
    },
    tooltip: (expected) => hoverText(page, row.locator(".label-name"), ".workbench-hover", expected),
  };
}

export interface ModalDialog {
  readonly message: string;
  readonly detail: string;
  /** From left to right; on Linux the main one comes last. */
  readonly buttons: readonly string[];
  readonly click: (button: string) => Promise<void>;
  readonly cancel: () => Promise<void>;
}

/** Waits for a modal dialog and reads it. Pass a text when another dialog may still be closing. */
export async function modalDialog(page: Page, text: string | RegExp = ""): Promise<ModalDialog> {
  const box = page.locator(".monaco-dialog-box").filter({ hasText: text });
  await box.waitFor();
  const close = async (action: () => Promise<void>): Promise<void> => {
    await action();
    await box.waitFor({ state: "detached" });
  };
  return {
    message: (await box.locator(".dialog-message").textContent()) ?? "",
    detail: (await box.locator(".dialog-message-detail").allTextContents()).join(""),
    buttons: await box.locator(".dialog-buttons .monaco-button").allTextContents(),
    click: (button) => close(() => box.getByRole("button", { name: button, exact: true }).click()),
    cancel: () => close(() => page.keyboard.press("Escape")),
  };
}

export interface Notification {
  readonly text: string;
  readonly buttons: readonly string[];
  readonly click: (button: string) => Promise<void>;
  readonly waitUntilGone: () => Promise<void>;
}

/** Waits for a notification that contains the text. Progress notifications change: `text` is what it said when it was found. */
export async function notification(page: Page, text: string | RegExp): Promise<Notification> {
  const toast = page
    .locator(".notification-toast")
    .filter({ has: page.locator(".notification-list-item-message", { hasText: text }) })
    .first();
  await toast.waitFor();
  return {
    text: (await toast.locator(".notification-list-item-message").textContent()) ?? "",
    buttons: await toast.locator(".notification-list-item-buttons-container .monaco-button").allTextContents(),
    click: (button) => toast.getByRole("button", { name: button, exact: true }).click(),
    waitUntilGone: () => toast.waitFor({ state: "detached" }),
  };
}

/** The texts of all notifications in sight; for asserting that one is absent, wait for the end of what would cause it first. */
export function notifications(page: Page): Promise<string[]> {
  return page.locator(".notification-toast .notification-list-item-message").allTextContents();
}

/** Closes whatever an earlier test has left open above the workbench: dialogs, menus, the palette, notifications. For `beforeEach`. */
export async function clearScreen(page: Page): Promise<void> {
  await poll("the dialogs to close", async () => {
    await page.keyboard.press("Escape");
    return (await page.locator(".monaco-dialog-box:visible, .monaco-menu:visible, .quick-input-widget:visible").count()) === 0;
  });
  if ((await notifications(page)).length > 0) await runCommand(page, "Notifications: Clear All Notifications");
  await poll("the notifications to go", async () => (await notifications(page)).length === 0);
}

export interface StatusBarItem {
  readonly text: string;
  /** What a screen reader says. */
  readonly label: string;
  readonly click: () => Promise<void>;
  /** As that of a tree item. */
  readonly tooltip: (expected?: RegExp) => Promise<string>;
}

/** Waits for a status bar item whose text matches. */
export async function statusBarItem(page: Page, text: RegExp): Promise<StatusBarItem> {
  const item = page.locator(".part.statusbar .statusbar-item").filter({ hasText: text }).first();
  await item.waitFor();
  return {
    text: ((await item.textContent()) ?? "").trim(),
    label: (await item.getAttribute("aria-label")) ?? "",
    click: () => item.locator(".statusbar-item-label").click(),
    tooltip: (expected) => hoverText(page, item, ".workbench-hover", expected),
  };
}

/** Opens a file of the workspace by its name, and resolves when its text shows. */
export async function openFile(page: Page, name: string): Promise<void> {
  const base = name.split("/").at(-1) ?? name;
  await retry(async () => {
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+P");
    await quickInput(page).fill(name, { timeout: 5_000 });
    await quickPickRow(page, base).click({ timeout: 5_000 });
  });
  await page.locator(".tabs-container .tab.active", { hasText: base }).waitFor();
  await page.locator(".editor-instance .view-lines .view-line").first().waitFor();
}

/** The squiggles in the open editor. The text covers them: `hover` reaches them, a locator's own hover does not. */
export function squiggles(page: Page, kind: "error" | "warning" | "info" | "hint" = "warning"): Locator {
  return page.locator(`.monaco-editor .squiggly-${kind}`);
}

/** Moves the mouse over a text of the open editor, or over a squiggle, and returns the text of the hover once it matches. */
export function hover(page: Page, target: string | Locator, expected: string | RegExp = /\S/): Promise<string> {
  const place =
    typeof target === "string" ? page.locator(".monaco-editor .view-line span span", { hasText: target }).first() : target.first();
  return hoverText(page, place, ".monaco-editor .monaco-hover", expected);
}

/** Puts the cursor at a text of the open editor and applies the quick fix with that title. */
export async function quickFix(page: Page, text: string, title: string | RegExp): Promise<void> {
  await page.locator(".monaco-editor .view-line span span", { hasText: text }).first().click();
  // VS Code drops the request whenever some extension registers a provider meanwhile: ask again.
  await retry(async () => {
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+.");
    await page.locator(".action-widget .monaco-list-row", { hasText: title }).first().click({ timeout: 3_000 });
  });
}

/** Puts the cursor at a text of the open editor, clicks the light bulb that comes, and then the entry. */
export async function useLightBulb(page: Page, text: string, title: string | RegExp): Promise<void> {
  const bulb = page
    .locator('.monaco-editor .lightBulbWidget, .monaco-editor [class*="codicon-gutter-lightbulb"]')
    .filter({ visible: true });
  // The bulb goes away when a provider registers meanwhile: put the cursor there again.
  await retry(async () => {
    await page.keyboard.press("Escape");
    await page.locator(".monaco-editor .view-line span span", { hasText: text }).first().click();
    await bulb.first().click({ timeout: 3_000 });
    await actionEntry(page, title).click({ timeout: 3_000 });
  });
}

/** Puts the cursor at a text of the open editor and takes the first of its quick fixes, the preferred one, without the mouse. */
export async function takeFirstFix(page: Page, text: string, neighbour: string | RegExp): Promise<void> {
  await page.locator(".monaco-editor .view-line span span", { hasText: text }).first().click();
  await retry(async () => {
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+.");
    await actionEntry(page, neighbour).waitFor({ timeout: 3_000 });
  });
  await page.keyboard.press("Enter");
  await page.locator(".action-widget").first().waitFor({ state: "hidden" });
}

function actionEntry(page: Page, title: string | RegExp): Locator {
  return page.locator(".action-widget .monaco-list-row", { hasText: title }).first();
}

/** Saves the open file, and resolves when it is saved. */
export async function save(page: Page): Promise<void> {
  await page.keyboard.press("Control+S");
  await page.locator(".tabs-container .tab.active:not(.dirty)").waitFor();
}

/** Shows the Problems view and returns the rows in it: files and what is wrong in them. */
export async function openProblems(page: Page): Promise<Locator> {
  const rows = page.locator(".markers-panel .monaco-list-row");
  await retry(async () => {
    if (!(await page.locator(".markers-panel").isVisible())) await page.keyboard.press("Control+Shift+M");
    await page.locator(".markers-panel").waitFor({ timeout: 3_000 });
  });
  return rows;
}

/** The inside of the webview that shows; VS Code wraps it in two frames. */
export function webview(page: Page): FrameLocator {
  return page.frameLocator("iframe.webview.ready").frameLocator("iframe#active-frame");
}

/** The locator of a quick input, whichever of its two inputs (with or without checkboxes) is in use. */
function quickInput(page: Page): Locator {
  return page.locator(".quick-input-widget:visible .quick-input-box input:visible").first();
}

function quickPickRow(page: Page, label: string | RegExp): Locator {
  return page
    .locator(".quick-input-list .monaco-list-row")
    .filter({ has: page.locator(".label-name", { hasText: exactly(label) }) })
    .first();
}

/** Moves by coordinates, because other layers cover the place; away and back again until the hover shows. */
async function hoverText(page: Page, place: Locator, hoverSelector: string, expected: string | RegExp = /\S/): Promise<string> {
  const found = page.locator(hoverSelector).filter({ visible: true, hasText: expected }).first();
  return retry(async () => {
    const box = await place.boundingBox({ timeout: 3_000 });
    if (!box) throw new Error("There is nothing to hover over.");
    await page.mouse.move(700, 890);
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 3 });
    await found.waitFor({ timeout: 3_000 });
    return (await found.innerText()).trim();
  });
}

function exactly(text: string | RegExp): RegExp {
  return typeof text === "string" ? new RegExp(`^\\s*${escape(text)}\\s*$`) : text;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
