export declare const serverMain: string;
export declare const serverNode: string;
export declare function isInstalled(): boolean;
export declare function install(): void;
