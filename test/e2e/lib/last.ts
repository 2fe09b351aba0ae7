/** The order of test files: Vitest's own, but what judges the whole run comes last. */
import type { TestSpecification } from "vitest/node";
import { BaseSequencer } from "vitest/node";

const LAST = /\/test\/e2e\/rights\.test\.ts$/;

export class RightsLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLast = ({ moduleId }: TestSpecification): boolean => LAST.test(moduleId);
    return [...sorted.filter((file) => !isLast(file)), ...sorted.filter(isLast)];
  }
}
