/** The alert rules of overlays/monitoring, as Prometheus takes them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const OVERLAY = join(import.meta.dirname, "..", "..", "manifests", "overlays", "monitoring");
export const RULE_FILE = join(OVERLAY, "prometheus-rule.yaml");

export function ruleGroups(): { readonly name: string; readonly rules: readonly Rule[] }[] {
  const { spec } = parse(readFileSync(RULE_FILE, "utf8")) as { spec: { groups: { name: string; rules: Rule[] }[] } };
  return spec.groups;
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly description: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

export const dashboard = (): Dashboard => JSON.parse(readFileSync(join(OVERLAY, "redis-ha.json"), "utf8")) as Dashboard;
