export declare function writeDeclarations(outdir: string): void;
