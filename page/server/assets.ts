/** The page's files. This is how a checkout makes them at run time; in the bundle (scripts/bundle.ts) this file is replaced by one that holds them. */
export interface Asset {
  /** as the admin port serves it */
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

/** Loaded only here: the bundle has no esbuild. */
export async function pageAssets(): Promise<readonly Asset[]> {
  const { buildPage } = await import("../../scripts/page.ts");
  return await buildPage();
}
