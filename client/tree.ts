/** The model of both trees: project or job → kind → file, asked for when opened. */
import * as vscode from "vscode";
import type { PlanItem, Pressure } from "../core/model.ts";
import type { Group, OwnerSummary, ShownProblem } from "../server/protocol.ts";
import { compareAttention } from "./ownerLook.ts";
import type { Report, State } from "./state.ts";
import { treeItemOf } from "./treeItem.ts";

export type TreeVerdict = "reclaim" | "keep";

export type Node = FolderNode | PressureNode | ProblemsNode | ProblemNode | OwnerNode | StoreNode | FileNode | MoreNode;

interface Base {
  readonly verdict: TreeVerdict;
  readonly report: Report;
}
export interface FolderNode extends Base {
  readonly kind: "folder";
}
/** A store that is larger than it may be. */
export interface PressureNode extends Base {
  readonly kind: "pressure";
  readonly pressure: Pressure;
}
export interface ProblemsNode extends Base {
  readonly kind: "problems";
  readonly problems: readonly ShownProblem[];
}
export interface ProblemNode extends Base {
  readonly kind: "problem";
  readonly problem: ShownProblem;
}
export interface OwnerNode extends Base {
  readonly kind: "owner";
  /** Absent: files that nobody is known to own. */
  readonly id?: string;
  /** Absent also where only a path names it. */
  readonly owner?: OwnerSummary;
  readonly groups: readonly Group[];
}
export interface StoreNode extends Base {
  readonly kind: "store";
  readonly group: Group;
  readonly owner?: OwnerSummary;
}
export interface FileNode extends Base {
  readonly kind: "file";
  readonly owner?: OwnerSummary;
  readonly item: PlanItem & { readonly uri: string };
}
export interface MoreNode extends Base {
  readonly kind: "more";
  readonly store: StoreNode;
  readonly next: number;
  readonly left: number;
}

const PAGE = 500;
/** Files that are looked through for one to reveal. */
const MOST_FILES = 20_000;

export class PlanTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly state: State;
  private readonly verdict: TreeVerdict;
  private readonly changed = new vscode.EventEmitter<Node | undefined>();
  private readonly subscription: vscode.Disposable;
  /** How many files of a group are shown, when more than a page. */
  private readonly limits = new Map<string, number>();

  readonly onDidChangeTreeData = this.changed.event;
  /** Set by whoever makes the view. */
  view?: vscode.TreeView<Node>;

  constructor(state: State, verdict: TreeVerdict) {
    this.state = state;
    this.verdict = verdict;
    this.subscription = state.onDidChange(() => {
      this.limits.clear();
      this.changed.fire(undefined);
    });
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return treeItemOf(node);
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (!node) return this.roots();
    if (node.kind === "folder") return this.childrenOfReport(node.report);
    if (node.kind === "problems") return node.problems.map((problem) => ({ ...baseOf(node), kind: "problem", problem }));
    if (node.kind === "owner") return node.groups.map((group) => ({ ...baseOf(node), ...ownerOf(node), kind: "store", group }));
    if (node.kind === "store") return this.files(node);
    return [];
  }

  /** Only for what {@link reveal} leads to. */
  getParent(node: Node): Node | undefined {
    const base = baseOf(node);
    const groups = node.report.plan?.groups.filter((group) => group.verdict === this.verdict) ?? [];
    if (node.kind === "file") {
      const group = groups.find((one) => one.store === node.item.store && one.owner === node.item.owner);
      return group && { ...base, kind: "store", group };
    }
    if (node.kind === "store") {
      const { owner } = node.group;
      return ownerNode(
        base,
        owner,
        groups.filter((group) => group.owner === owner),
        ownersOf(node.report),
      );
    }
    return node.kind === "owner" && hasSeveralFolders() ? { ...base, kind: "folder" } : undefined;
  }

  /** Selects the first of these files (by URI) that a plan has; false when none has one. */
  async reveal(uris: readonly string[]): Promise<boolean> {
    const wanted = new Set(uris);
    for (const report of this.state.reports) {
      if (!report.plan || !this.view) continue;
      const { folder, digest } = report.plan;
      const items = await this.state.items({ folder, digest, verdict: this.verdict, offset: 0, limit: MOST_FILES });
      const item = items.find((one) => wanted.has(one.uri));
      if (!item) continue;
      const node: FileNode = { kind: "file", verdict: this.verdict, report, item };
      const store = this.getParent(node);
      if (store?.kind !== "store") continue;
      const place = items.filter((one) => one.store === item.store && one.owner === item.owner).indexOf(item);
      if (place >= (this.limits.get(keyOf(store)) ?? PAGE)) {
        this.limits.set(keyOf(store), Math.ceil((place + 1) / PAGE) * PAGE);
        this.changed.fire(undefined);
      }
      await this.view.reveal(node, { select: true, focus: true });
      return true;
    }
    return false;
  }

  showMore(node: MoreNode): void {
    this.limits.set(keyOf(node.store), node.next + PAGE);
    this.changed.fire(node.store);
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
  }

  private roots(): Node[] {
    const { reports } = this.state;
    if (!hasSeveralFolders()) return reports.flatMap((report) => this.childrenOfReport(report));
    return reports.map((report) => ({ kind: "folder", verdict: this.verdict, report }));
  }

  private childrenOfReport(report: Report): Node[] {
    const base = { verdict: this.verdict, report };
    if (this.verdict === "keep") return ownersIn(report, "keep");
    const problems = shownProblems(report);
    return [
      ...pressuresOf(report).map((pressure): Node => ({ verdict: "reclaim", report, kind: "pressure", pressure })),
      ...(problems.length > 0 ? [{ ...base, kind: "problems", problems } as const] : []),
      ...ownersIn(report, "reclaim"),
    ];
  }

  private async files(node: StoreNode): Promise<Node[]> {
    const { group, report } = node;
    const limit = this.limits.get(keyOf(node)) ?? PAGE;
    if (!report.plan) return [];
    const { folder, digest } = report.plan;
    const which = { store: group.store, ...(group.owner !== undefined && { owner: group.owner }) };
    const items = await this.state.items({ folder, digest, verdict: this.verdict, group: which, offset: 0, limit });
    const files = items.map((item): Node => ({ ...baseOf(node), ...ownerOf(node), kind: "file", item }));
    const left = group.files - items.length;
    return left > 0 ? [...files, { ...baseOf(node), kind: "more", store: node, next: items.length, left }] : files;
  }
}

function hasSeveralFolders(): boolean {
  return (vscode.workspace.workspaceFolders ?? []).length > 1;
}

/** Projects and jobs with their files of one verdict. Without a configuration no files are known, but the jobs are. */
export function ownersIn(report: Report, verdict: TreeVerdict): OwnerNode[] {
  const byOwner = new Map<string | undefined, Group[]>();
  for (const group of report.plan?.groups ?? []) {
    if (group.verdict !== verdict) continue;
    const groups = byOwner.get(group.owner);
    if (groups) groups.push(group);
    else byOwner.set(group.owner, [group]);
  }
  if (verdict === "keep" && report.plan?.configFile === undefined)
    for (const { id, kind } of report.plan?.owners ?? []) if (kind === "job") byOwner.set(id, byOwner.get(id) ?? []);
  const owners = ownersOf(report);
  return [...byOwner].map(([id, groups]) => ownerNode({ verdict, report }, id, groups, owners)).sort(compareAttention);
}

function ownersOf({ plan }: Report): ReadonlyMap<string, OwnerSummary> {
  return new Map(plan?.owners.map((owner) => [owner.id, owner]));
}

function ownerNode(base: Base, id: string | undefined, groups: readonly Group[], owners: ReadonlyMap<string, OwnerSummary>): OwnerNode {
  const owner = id === undefined ? undefined : owners.get(id);
  return { kind: "owner", ...base, groups, ...(id !== undefined && { id }), ...(owner && { owner }) };
}

function ownerOf({ owner }: { readonly owner?: OwnerSummary }): { readonly owner?: OwnerSummary } {
  return owner ? { owner } : {};
}

/** Stores that are larger than they may be. */
function pressuresOf({ plan }: Report): readonly Pressure[] {
  return plan?.pressures.filter((pressure) => pressure.over) ?? [];
}

/** A folder without offcut.json, or without trust, has a welcome text instead; storage pressure has a place of its own. */
export function shownProblems(report: Report): readonly ShownProblem[] {
  if (report.plan && (report.plan.configFile === undefined || !vscode.workspace.isTrusted)) return [];
  const pressed = new Set(pressuresOf(report).map((pressure) => pressure.store));
  return report.problems.filter((problem) => !pressed.has(problem.source));
}

function baseOf({ verdict, report }: Base): Base {
  return { verdict, report };
}

function keyOf({ report, group }: StoreNode): string {
  return JSON.stringify([report.folder.uri.toString(), group.owner ?? null, group.store]);
}
