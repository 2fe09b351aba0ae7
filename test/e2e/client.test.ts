import { join } from "node:path";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import { EXAMPLES } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** As an application has it from the Secret: by an environment variable of its pod. */
const APPLICATION = `
apiVersion: v1
kind: Pod
metadata: { name: application }
spec:
  restartPolicy: Never
  enableServiceLinks: false
  terminationGracePeriodSeconds: 1
  containers:
    - name: application
      image: docker.io/library/redis:7
      imagePullPolicy: IfNotPresent
      resources: { requests: { cpu: 20m } }
      env: [{ name: REDISCLI_AUTH, valueFrom: { secretKeyRef: { name: cache-redis-ha, key: password } } }]
      command: [sh, -c, "while :; do redis-cli -h cache-master incr visits; sleep 0.2; done"]
`;

test("another pod uses the DNS name and the Secret's password all along; a wrong password is refused", async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const target = await group.throughService();
  expect(target.host).toBe("cache-master");

  await expect(space.client.commands({ ...target, password: "wrong" }, [["PING"]])).rejects.toMatchObject({ kind: "WRONGPASS" });
  const nameless = { host: target.host, port: target.port };
  expect(await space.client.commands(nameless, [["PING"]])).toEqual([{ error: expect.stringContaining("NOAUTH") }]);
  for (const { ip } of await group.redises()) {
    await expect(space.client.commands({ host: ip, port: 26379, password: "wrong" }, [["PING"]])).rejects.toMatchObject({
      kind: "WRONGPASS",
    });
  }

  await space.apply({ yaml: APPLICATION });
  await space.client.startWriters(target);
  await underFault(group, "delete pod", EXPECTED, async (pod) => await bed.kube.remove(PATH.pods(space.namespace, pod)));
  expect((await verdict(group)).missing).toBe(0);

  const { stdout } = await bed.kubectl(["-n", space.namespace, "logs", "application"]);
  const numbers = stdout
    .split("\n")
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
  expect(numbers.length).toBeGreaterThan(10);
  expect(numbers, "every count is one more than the last that was acknowledged, or more: none went back").toEqual(
    [...numbers].sort((one, other) => one - other),
  );
  expect(new Set(numbers).size).toBe(numbers.length);
});
