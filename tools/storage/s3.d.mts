export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of the key management, for objects that are encrypted with a key of it. */
  readonly kmsKey: string;
  readonly pid: number;
  stop(): Promise<void>;
}
export declare function unavailable(): string | undefined;
export declare function isInstalled(): boolean;
export declare function install(): void;
export declare function start(): Promise<S3Server>;
