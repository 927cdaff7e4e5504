export declare const nextModules: string;
export declare function isInstalled(): boolean;
export declare function install(): void;
