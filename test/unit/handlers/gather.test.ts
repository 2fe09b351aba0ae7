import { expect, test } from "vitest";
import { gather } from "../../../handlers/act/gather.ts";

const never = new Promise<boolean>(() => undefined);
const twoAyes = (answers: readonly boolean[]): boolean => answers.filter(Boolean).length >= 2;

test("a majority does not wait for a member that never answers", async () => {
  expect(await gather([never, Promise.resolve(true), Promise.resolve(true)], twoAyes)).toEqual([true, true]);
});

test("where the answers are never enough, all of them are waited for", async () => {
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 5));
  expect(await gather([late, Promise.resolve(true), Promise.resolve(false)], twoAyes)).toEqual([true, false, false]);
});

test("nobody to ask", async () => {
  expect(await gather([], twoAyes)).toEqual([]);
});

test("what comes after the decision changes nothing any more", async () => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const decided = await gather([promise, Promise.resolve(true), Promise.resolve(true)], twoAyes);
  resolve(true);
  await promise;
  expect(decided).toEqual([true, true]);
});

test("a question that fails before the decision fails the whole", async () => {
  await expect(gather([Promise.reject(new Error("gone")), never], twoAyes)).rejects.toThrow("gone");
});
