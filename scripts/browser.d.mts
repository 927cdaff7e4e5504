export declare function findBrowser(): string | undefined;
export declare function ensureBrowser(): string;
export declare function installPackages(packages: readonly string[], need: string): void;
