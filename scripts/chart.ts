/**
 * The templates of the Helm chart, made from the files of the kustomize base: one source, so that no way of installing lacks what another has.
 * Written by `npm run manifests`. Each place that a value goes to is named here, and must be found in the base, or the making fails.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SYSTEM_NAMESPACE } from "../model/names.ts";
import { baseFiles } from "./manifests.ts";

export const CHART = join(import.meta.dirname, "..", "manifests", "chart");
const TEMPLATES = join(CHART, "templates");
const MONITORING = join(import.meta.dirname, "..", "manifests", "overlays", "monitoring");
const HEAD =
  "{{- /* Made by `npm run manifests` from manifests/base; values go to the places that scripts/chart.ts names. */}}\n";

/** Helm makes the namespace (--create-namespace). */
const LEFT_OUT = ["namespace.yaml"];

type Change = readonly [place: string, template: string];

/** What is written into which file of the base, besides the namespace. */
const CHANGES: Readonly<Record<string, readonly Change[]>> = {
  "deployment.yaml": [
    ["  replicas: 2\n", "  replicas: {{ .Values.replicas }}\n"],
    [
      "          image: redis-ha\n          imagePullPolicy: IfNotPresent\n          args: [serve]\n",
      [
        "          image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
        "          imagePullPolicy: {{ .Values.image.pullPolicy }}",
        "          args:",
        "            - serve",
        "            {{- range .Values.extraArgs }}",
        "            - {{ . | quote }}",
        "            {{- end }}",
        "",
      ].join("\n"),
    ],
    [
      "              value: redis-ha-boot\n",
      [
        "              value: {{ .Values.bootImage.repository }}:{{ .Values.bootImage.tag | default .Chart.AppVersion }}",
        "            {{- with .Values.bootImage.pullPolicy }}",
        "            - name: REDIS_HA_BOOT_IMAGE_PULL_POLICY",
        "              value: {{ . }}",
        "            {{- end }}",
        "            {{- with .Values.bootImage.pullSecrets }}",
        "            - name: REDIS_HA_BOOT_PULL_SECRETS",
        '              value: {{ join "," . | quote }}',
        "            {{- end }}",
        "            {{- with .Values.logLevel }}",
        "            - name: REDIS_HA_LOG_LEVEL",
        "              value: {{ . }}",
        "            {{- end }}",
        "",
      ].join("\n"),
    ],
    [
      "      serviceAccountName: redis-ha\n",
      [
        "      serviceAccountName: redis-ha",
        "      {{- with .Values.image.pullSecrets }}",
        "      imagePullSecrets:",
        "        {{- range . }}",
        "        - name: {{ . }}",
        "        {{- end }}",
        "      {{- end }}",
        "      {{- with .Values.nodeSelector }}",
        "      nodeSelector:",
        "        {{- toYaml . | nindent 8 }}",
        "      {{- end }}",
        "",
      ].join("\n"),
    ],
    [
      "            requests:\n              cpu: 50m\n              memory: 96Mi\n            limits:\n              memory: 256Mi\n",
      "            {{- toYaml .Values.resources | nindent 12 }}\n",
    ],
  ],
};

export interface Template {
  readonly name: string;
  readonly text: string;
}

/** All generated templates. Pure but for reading their sources. */
export function chartTemplates(): Template[] {
  const base = baseFiles()
    .filter(({ name }) => !LEFT_OUT.includes(name))
    .map(({ name, text }) => ({ name, text: HEAD + withValues(name, text) }));
  return [...base, monitoring()];
}

function withValues(name: string, text: string): string {
  let done = text.replaceAll(SYSTEM_NAMESPACE, "{{ .Release.Namespace }}");
  for (const [place, template] of CHANGES[name] ?? []) {
    if (!done.includes(place))
      throw new Error(`manifests/base/${name} has no place "${place.trim()}" any more: change scripts/chart.ts`);
    done = done.replace(place, () => template);
  }
  return done;
}

/** Prometheus' own braces must reach it as they are. */
function monitoring(): Template {
  const files = ["pod-monitor.yaml", "prometheus-rule.yaml"].map((name) => readFileSync(join(MONITORING, name), "utf8"));
  const text = files
    .join("---\n")
    .replaceAll(/\{\{|\}\}/g, (braces) => `{{ "${braces}" }}`)
    .replaceAll("runbook_url: docs/", "runbook_url: {{ .Values.monitoring.docs }}docs/");
  return { name: "monitoring.yaml", text: `${HEAD}{{- if .Values.monitoring.enabled }}\n${text}{{- end }}\n` };
}

/** What was written by hand and stays. */
const BY_HAND = ["NOTES.txt"];

/** Writes the templates, and removes those whose source is gone. */
export function writeChart(): void {
  for (const file of readdirSync(TEMPLATES)) if (!BY_HAND.includes(file)) rmSync(join(TEMPLATES, file));
  for (const { name, text } of chartTemplates()) writeFileSync(join(TEMPLATES, name), text);
}

export const writtenTemplates = (): Template[] =>
  readdirSync(TEMPLATES)
    .filter((name) => !BY_HAND.includes(name))
    .map((name) => ({ name, text: readFileSync(join(TEMPLATES, name), "utf8") }));
