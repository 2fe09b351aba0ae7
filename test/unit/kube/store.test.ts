import { describe, expect, test } from "vitest";
import { type Change, createStore } from "../../../kube/store.ts";
import type { Pod } from "../../../kube/types.ts";

const pod = (name: string, resourceVersion: number): Pod => ({
  metadata: { namespace: "ns", name, resourceVersion: String(resourceVersion), managedFields: [{}] },
});
const list = (resourceVersion: number, ...items: Pod[]) => ({ metadata: { resourceVersion: String(resourceVersion) }, items });

function setup(...first: Pod[]) {
  const changes: string[] = [];
  const store = createStore<Pod>((type: Change, { metadata }) =>
    changes.push(`${type} ${metadata?.name}@${metadata?.resourceVersion}`),
  );
  store.replace(list(10, ...first));
  changes.length = 0;
  return { store, changes };
}

describe("createStore", () => {
  test("a list tells only of differences", () => {
    const { store, changes } = setup(pod("a", 1), pod("b", 2));
    store.replace(list(20, pod("a", 1), pod("c", 12)));
    expect(changes).toEqual(["DELETED b@2", "ADDED c@12"]);
  });

  test("drops managedFields", () => {
    const { store } = setup(pod("a", 1));
    expect(store.items.get("ns/a")?.metadata?.managedFields).toBeUndefined();
  });

  test("what was learnt from an answer is not undone by an event from before it, and told once", () => {
    const { store, changes } = setup(pod("a", 1));
    store.learn(pod("a", 13));
    store.apply("MODIFIED", pod("a", 12));
    store.apply("MODIFIED", pod("a", 13));
    store.learn(pod("a", 11));
    expect(store.items.get("ns/a")?.metadata?.resourceVersion).toBe("13");
    store.apply("MODIFIED", pod("a", 14));
    expect(changes).toEqual(["MODIFIED a@13", "MODIFIED a@14"]);
  });

  test("an answer about one that is not there, or about another of its name, is not learnt", () => {
    const { store, changes } = setup(pod("a", 1));
    store.learn(pod("b", 12));
    store.learn({ metadata: { ...pod("a", 13).metadata, uid: "another" } });
    expect(changes).toEqual([]);
  });

  describe("a list beside the stream", () => {
    test("does not undo what the stream told meanwhile", () => {
      const { store, changes } = setup(pod("old", 1), pod("gone", 2));
      const finish = store.beginMerge();
      store.apply("MODIFIED", pod("old", 21));
      store.apply("ADDED", pod("new", 22));
      store.apply("DELETED", pod("gone", 23));
      changes.length = 0;
      finish(list(20, pod("old", 1), pod("gone", 2)));
      expect(changes).toEqual([]);
      expect([...store.items.keys()]).toEqual(["ns/old", "ns/new"]);
    });

    test("repairs what the stream missed", () => {
      const { store, changes } = setup(pod("a", 1), pod("b", 2));
      const finish = store.beginMerge();
      finish(list(20, pod("a", 15), pod("c", 16)));
      expect(changes).toEqual(["DELETED b@2", "MODIFIED a@15", "ADDED c@16"]);
    });

    test("an object that was deleted and made again meanwhile stays", () => {
      const { store } = setup(pod("a", 1));
      const finish = store.beginMerge();
      store.apply("DELETED", pod("a", 11));
      store.apply("ADDED", pod("a", 12));
      finish(list(10, pod("a", 1)));
      expect(store.items.get("ns/a")?.metadata?.resourceVersion).toBe("12");
    });

    test("a failed list leaves nothing behind", () => {
      const { store, changes } = setup(pod("a", 1));
      store.beginMerge();
      store.apply("DELETED", pod("a", 11));
      const finish = store.beginMerge();
      changes.length = 0;
      finish(list(12));
      expect(changes).toEqual([]);
    });
  });
});
