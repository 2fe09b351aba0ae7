import { describe, expect, test } from "vitest";
import { Patch, pointer } from "../../../webhook/inject/patch.ts";
import { at, covers, field, named, objects, stringMap, strings } from "../../../webhook/json.ts";

describe("reading", () => {
  test("only own fields are followed", () => {
    expect(field({}, "constructor")).toBeUndefined();
    expect(at({ a: { b: [1] } }, "a", "b")).toEqual([1]);
    expect(at({ a: 1 }, "a", "b")).toBeUndefined();
    expect(at(JSON.parse('{"__proto__":{"a":1}}'), "__proto__", "a")).toBe(1);
    expect(at(undefined, "a")).toBeUndefined();
  });

  test("lists", () => {
    expect(objects([{ name: "a" }, 1, null, [], { name: "b" }])).toEqual([
      { index: 0, object: { name: "a" } },
      { index: 4, object: { name: "b" } },
    ]);
    expect(named([{ name: "a" }], "b")).toBeUndefined();
    expect(strings(["a", 1, "b"])).toEqual(["a", "b"]);
    expect(strings([])).toBeUndefined();
  });

  test("maps of strings have no prototype", () => {
    const map = stringMap(JSON.parse('{"__proto__":"x","a":"b","c":1}'));
    expect(Object.getPrototypeOf(map)).toBeNull();
    expect(Object.keys(map)).toEqual(["__proto__", "a"]);
  });
});

test.each([
  [{ a: 1, b: 2 }, { a: 1 }, true],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [{ a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }, true],
  [{ a: [1, 2] }, { a: [1] }, false],
  [null, {}, false],
  [undefined, undefined, true],
  ["x", "x", true],
])("%j covers %j: %s", (existing, wanted, expected) => {
  expect(covers(existing, wanted)).toBe(expected);
});

describe("a patch", () => {
  test("escapes keys", () => {
    expect(pointer(["metadata", "annotations", "a~b/c", 0])).toBe("/metadata/annotations/a~0b~1c/0");
  });

  test("makes an absent map or list once", () => {
    const patch = new Patch();
    for (const key of ["a", "b"]) patch.set(["map"], null, key, 1);
    for (const value of [1, 2]) patch.append(["list"], undefined, value);
    patch.insert(["inits"], undefined, 0, "first");
    patch.insert(["inits"], undefined, 1, "second");
    expect(
      patch.operations.map((operation) => [operation.op, operation.path, "value" in operation ? operation.value : undefined]),
    ).toEqual([
      ["add", "/map", {}],
      ["add", "/map/a", 1],
      ["add", "/map/b", 1],
      ["add", "/list", [1]],
      ["add", "/list/-", 2],
      ["add", "/inits", ["first"]],
      ["add", "/inits/1", "second"],
    ]);
  });
});
