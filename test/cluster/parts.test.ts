import { expect, test } from "vitest";
import { stagingModules } from "./build/kubernetes.ts";
import { mountsBelow } from "./cleanup.ts";
import { fullName } from "./images/catalog.ts";
import { baseImages } from "./images/project.ts";
import { layoutOf, machineOf, nodeOf } from "./layout.ts";
import { checkName } from "./state.ts";
import { kubernetesVersion } from "./versions.ts";
import { volumeFor } from "./volumes.ts";

test("two clusters share no folder, control group or device of the host, and each node has its own addresses", () => {
  const [one, other] = [layoutOf("one", 0, 2), layoutOf("other", 1, 2)];
  expect(one.hostLink).toEqual({ device: "rha0", host: "169.254.64.2", controlPlane: "169.254.64.1" });
  expect(other.hostLink).toEqual({ device: "rha1", host: "169.254.65.2", controlPlane: "169.254.65.1" });
  expect([one.dir, one.cgroup]).not.toEqual([other.dir, other.cgroup]);
  expect(one.nodes.map((node) => [node.name, node.address, node.podRange])).toEqual([
    ["node-1", "172.30.0.11", "10.244.1.0/24"],
    ["node-2", "172.30.0.12", "10.244.2.0/24"],
  ]);
});

test("a machine that does not exist is named together with those that do", () => {
  const layout = layoutOf("bed", 0, 2);
  expect(machineOf(layout, "control-plane").address).toBe("172.30.0.10");
  expect(() => machineOf(layout, "node-3")).toThrow(
    'no machine "node-3" in cluster bed: there are control-plane, node-1, node-2',
  );
  expect(() => nodeOf(layout, "control-plane")).toThrow("there are node-1, node-2");
});

test.each(["", "-a", "a-", "A", "a/b", "..", "a".repeat(21)])("%j cannot name a cluster", (name) => {
  expect(() => checkName(name)).toThrow("cannot name a cluster");
});

test("a Kubernetes version is found by its minor or its full number", () => {
  expect([kubernetesVersion(), kubernetesVersion("1.34"), kubernetesVersion("1.34.4")]).toEqual(["1.37.2", "1.34.4", "1.34.4"]);
  expect(() => kubernetesVersion("1.2")).toThrow("choose one of");
});

test("only modules of Kubernetes' own repository are replaced", () => {
  const goMod =
    "require (\n\tk8s.io/api v0.0.0\n\tk8s.io/klog/v2 v2.130.1\n\tk8s.io/utils v0.0.0-20250604\n\tk8s.io/kubectl v0.0.0 // indirect\n)\n";
  expect(stagingModules(goMod)).toEqual(["k8s.io/api", "k8s.io/kubectl"]);
});

test("the base images of a Dockerfile are those that no stage of it makes", () => {
  const dockerfile =
    "FROM debian:x AS one\nFROM --platform=linux/amd64 node:y as two\nFROM one\nFROM scratch AS last\nCOPY --from=two / /\nFROM debian:x\n";
  expect(baseImages(dockerfile)).toEqual(["debian:x", "node:y"]);
});

test("image names are completed as Kubernetes does it", () => {
  expect(["redis:7", "valkey/valkey:9", "registry.k8s.io/pause:3.10", "localhost/x:1", "host:5000/x"].map(fullName)).toEqual([
    "docker.io/library/redis:7",
    "docker.io/valkey/valkey:9",
    "registry.k8s.io/pause:3.10",
    "localhost/x:1",
    "host:5000/x",
  ]);
});

test("mounts are undone from the inside out, and a name that only begins alike is left alone", () => {
  const table = ["/state/bed", "/state/bed/net/a", "/state/bed/net/a/b", "/state/bed2/net"].map(
    (point) => `1 2 0:3 / ${point} rw - x x rw`,
  );
  expect(mountsBelow("/state/bed", table.join("\n"))).toEqual(["/state/bed/net/a/b", "/state/bed/net/a"]);
});

test("a claim gets a volume on the node that the scheduler chose, once it did", () => {
  const claim = {
    metadata: { name: "data", namespace: "default", uid: "u" },
    spec: { storageClassName: "standard", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const folderOn = (node: string, name: string): string => `/${node}/${name}`;
  expect(volumeFor(claim, folderOn)).toBeUndefined();
  const scheduled = {
    ...claim,
    metadata: { ...claim.metadata, annotations: { "volume.kubernetes.io/selected-node": "node-2" } },
  };
  expect(volumeFor(scheduled, folderOn)).toMatchObject({
    metadata: { name: "pvc-u" },
    spec: { local: { path: "/node-2/pvc-u" } },
  });
  expect(volumeFor({ ...scheduled, spec: { ...claim.spec, storageClassName: "other" } }, folderOn)).toBeUndefined();
  expect(volumeFor({ ...scheduled, spec: { ...claim.spec, volumeName: "pvc-u" } }, folderOn)).toBeUndefined();
});
