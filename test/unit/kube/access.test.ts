import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inClusterAccess } from "../../../kube/access.ts";
import { kubeconfigAccess, kubeconfigFiles } from "../../../kube/kubeconfig.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "access-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string, mode = 0o600): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};
const b64 = (text: string): string => Buffer.from(text).toString("base64");

/** A kubeconfig with one of each; `user` is YAML in flow style. */
const config = (
  user: string,
  cluster = `{server: "https://api.example:6443", certificate-authority-data: ${b64("CA")}}`,
): string =>
  write(
    "config",
    `apiVersion: v1
kind: Config
current-context: main
contexts: [{name: main, context: {cluster: c, user: u}}, {name: other, context: {cluster: d, user: u}}]
clusters: [{name: c, cluster: ${cluster}}, {name: d, cluster: {server: "https://other.example"}}]
users: [{name: u, user: ${user}}]
`,
  );

describe("inClusterAccess", () => {
  test("is there inside a pod only", () => {
    expect(inClusterAccess({})).toBeUndefined();
    expect(inClusterAccess({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" })?.server).toBe(
      "https://[fd00::1]:443",
    );
  });

  test("reads the token anew each time", async () => {
    mkdirSync(join(folder, "sa"));
    write("sa/ca.crt", "CA");
    write("sa/token", "first\n");
    const access = inClusterAccess({ KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" }, join(folder, "sa"));
    expect((await access?.load())?.headers).toEqual({ authorization: "Bearer first" });
    write("sa/token", "second\n");
    expect((await access?.load())?.headers).toEqual({ authorization: "Bearer second" });
  });
});

describe("kubeconfigAccess", () => {
  test("an unknown context: the error names those that there are", () => {
    expect(() => kubeconfigAccess([config("{token: abc}")], "mian")).toThrow('no entry "mian" in contexts; it has main, other');
  });

  test("client certificate in the file, and in files beside it", async () => {
    const inline = kubeconfigAccess([config(`{client-certificate-data: ${b64("CERT")}, client-key-data: ${b64("KEY")}}`)]);
    expect(inline.server).toBe("https://api.example:6443");
    const pem = { ca: Buffer.from("CA"), cert: Buffer.from("CERT"), key: Buffer.from("KEY") };
    expect(await inline.load()).toEqual({ tls: pem, headers: {} });
    for (const [name, text] of Object.entries({ "ca.pem": "CA", "cert.pem": "CERT", "key.pem": "KEY" })) write(name, text);
    const beside = config(
      "{client-certificate: cert.pem, client-key: key.pem}",
      '{server: "https://a", certificate-authority: ca.pem}',
    );
    expect((await kubeconfigAccess([beside]).load()).tls).toEqual(pem);
  });

  test.each([
    ["{token: abc}", "Bearer abc"],
    ["{username: me, password: secret}", `Basic ${b64("me:secret")}`],
    ["{tokenFile: token}", "Bearer from-file"],
    ["{}", undefined],
  ])("%s", async (user, authorization) => {
    write("token", "from-file\n");
    expect((await kubeconfigAccess([config(user)]).load()).headers.authorization).toBe(authorization);
  });

  test("another context, a server name, no verification", async () => {
    expect(kubeconfigAccess([config("{}")], "other").server).toBe("https://other.example");
    const odd = config("{}", '{server: "https://a", insecure-skip-tls-verify: true, tls-server-name: kubernetes}');
    expect((await kubeconfigAccess([odd]).load()).tls).toEqual({ rejectUnauthorized: false, servername: "kubernetes" });
  });

  test("a login program, asked again when its token ends", async () => {
    const soon = '"expirationTimestamp":"2000-01-01T00:00:00Z",';
    write(
      "login",
      `#!/bin/sh\necho x >>"$0.calls"\necho '{"status":{${soon}"token":"'"$WHO"'-'$(wc -l <"$0.calls" | tr -d ' ')'"}}'\n`,
      0o700,
    );
    const access = kubeconfigAccess([config("{exec: {command: ./login, env: [{name: WHO, value: me}]}}")]);
    expect((await access.load()).headers).toEqual({ authorization: "Bearer me-1" });
    expect((await access.load()).headers).toEqual({ authorization: "Bearer me-2" });
  });

  test("a login program's token without an end is kept; its failure is told", async () => {
    write("login", `#!/bin/sh\necho x >>"$0.calls"\necho '{"status":{"token":"t'$(wc -l <"$0.calls" | tr -d ' ')'"}}'\n`, 0o700);
    const access = kubeconfigAccess([config("{exec: {command: ./login}}")]);
    await access.load();
    expect((await access.load()).headers).toEqual({ authorization: "Bearer t1" });
    const broken = kubeconfigAccess([config("{exec: {command: ./missing, installHint: install it}}")]);
    await expect(broken.load()).rejects.toThrow(/\.\/missing failed.*\ninstall it/s);
  });

  test("several files: the first that says something wins", () => {
    const one = write("one", "current-context: main\ncontexts: [{name: main, context: {cluster: c}}]\n");
    const two = write("two", 'current-context: other\nclusters: [{name: c, cluster: {server: "https://two"}}]\nusers: null\n');
    expect(kubeconfigAccess([one, two]).server).toBe("https://two");
    expect(kubeconfigFiles({ KUBECONFIG: [one, join(folder, "missing"), two].join(delimiter) })).toEqual([one, two]);
  });

  test("says what is missing", () => {
    expect(() => kubeconfigAccess([])).toThrow(/no kubeconfig/);
    expect(() => kubeconfigAccess([config("{}")], "nope")).toThrow('no entry "nope" in contexts');
    expect(() => kubeconfigAccess([write("empty", "")])).toThrow(/no context is chosen/);
  });
});
