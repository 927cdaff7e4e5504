import type { BuildOptions, Plugin } from "esbuild";

export declare function runtimeBuilds(options: {
  readonly release: boolean;
  readonly outdir: string;
  readonly remoteApart?: Plugin;
}): readonly BuildOptions[];
