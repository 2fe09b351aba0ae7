/** An image's name as people write it on the command line. */
import { expect, test } from "vitest";
import { fullName } from "../../cluster/images/catalog.ts";

test.each([
  ["redis:7", "docker.io/library/redis:7"],
  ["valkey:9", "docker.io/valkey/valkey:9"],
  ["valkey/valkey:9", "docker.io/valkey/valkey:9"],
  ["unknown:1", "docker.io/library/unknown:1"],
  ["example.com/redis:7", "example.com/redis:7"],
  ["localhost:5000/redis:7", "localhost:5000/redis:7"],
])("%s is %s", (short, full) => {
  expect(fullName(short)).toBe(full);
});
