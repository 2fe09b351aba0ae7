import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_BOOT_RESOURCES, DEFAULT_SENTINEL_RESOURCES, injectConfig, injectOptions } from "../../../webhook/config.ts";

const saved = process.env;
beforeEach(() => {
  process.env = { PATH: saved.PATH };
});
afterEach(() => {
  process.env = saved;
});

function parse(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  Object.assign(process.env, env);
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const option of injectOptions()) command.addOption(option);
  command.parse(args, { from: "user" });
  return injectConfig("1.2.3", command.opts());
}

test("defaults", () => {
  expect(parse([])).toEqual({
    version: "1.2.3",
    bootImage: "redis-ha-boot:1.2.3",
    bootImagePullPolicy: "IfNotPresent",
    bootPullSecrets: [],
    bootResources: DEFAULT_BOOT_RESOURCES,
    sentinelResources: DEFAULT_SENTINEL_RESOURCES,
    sentinelUser: 999,
  });
});

test("flags", () => {
  const config = parse([
    "--boot-image=boot:2",
    "--boot-image-pull-policy=Always",
    "--boot-pull-secrets=a, b,",
    '--boot-resources={"limits":{"cpu":"1"}}',
    '--sentinel-resources={"requests":{"memory":"1Mi"}}',
    "--sentinel-user=70",
  ]);
  expect(config).toMatchObject({
    bootImage: "boot:2",
    bootImagePullPolicy: "Always",
    bootPullSecrets: ["a", "b"],
    bootResources: { limits: { cpu: "1" } },
    sentinelResources: { requests: { memory: "1Mi" } },
    sentinelUser: 70,
  });
});

test("the environment, and a flag before it", () => {
  const env = { REDIS_HA_BOOT_IMAGE: "env:1", REDIS_HA_SENTINEL_USER: "platform" };
  expect(parse([], env)).toMatchObject({ bootImage: "env:1", sentinelUser: undefined });
  expect(parse(["--boot-image=flag:1"], env)).toMatchObject({ bootImage: "flag:1" });
});

describe("refused", () => {
  test.each([
    ["--boot-image-pull-policy=Sometimes"],
    ["--boot-resources=big"],
    ["--boot-resources=[]"],
    ['--sentinel-resources={"cpu":"1"}'],
    ["--sentinel-user=0"],
    ["--sentinel-user=redis"],
  ])("%s", (flag) => {
    expect(() => parse([flag])).toThrow(/--(boot|sentinel)-[a-z-]+|is not allowed/);
  });
});
