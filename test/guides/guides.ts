/** Which documents are guides: every command block of them is run, or says why not. */

/** In the order of reading. Each is run in a namespace of its own. */
export const GUIDES = [
  "README.md",
  "docs/quickstart.md",
  "docs/three-deployments.md",
  "docs/adoption.md",
  "docs/page.md",
  "docs/production.md",
  "docs/tls.md",
  "docs/recovery.md",
  "docs/runbooks.md",
  "docs/webhook.md",
  // Last: it removes redis-ha, and installs it again.
  "docs/upgrade.md",
] as const;

/** Those that are part of `npm test`: the first and the last thing that a person does. The others take minutes. */
export const IN_EVERY_TEST = ["docs/quickstart.md", "docs/upgrade.md"] as const;

/** For people who work on redis-ha itself: their commands take hours, or are stages of `npm test` already. */
export const NOT_GUIDES = ["docs/faults.md", "docs/simulation.md", "docs/soak.md", "docs/webhook-tests.md"] as const;
