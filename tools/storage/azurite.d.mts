export interface BlobServer {
  readonly account: string;
  /** Base64. */
  readonly key: string;
  /** With the account. */
  readonly url: string;
  readonly connection: string;
  stop(): Promise<void>;
}
export declare function isInstalled(): boolean;
export declare function install(): void;
export declare function start(): Promise<BlobServer>;
