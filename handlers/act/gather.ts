/**
 * Asks many at once and goes on as soon as the answers are enough: a majority never waits for its slowest member.
 * @param enough whether what has come so far decides
 * Returns the answers that had come by then, in the order in which they came; all of them where they were never enough. Rejects as the first question that
 * rejects before that.
 */
export async function gather<T>(questions: readonly Promise<T>[], enough: (answers: readonly T[]) => boolean): Promise<T[]> {
  const answers: T[] = [];
  const decided = Promise.withResolvers<void>();
  const all = questions.map(async (question) => {
    answers.push(await question);
    if (enough(answers)) decided.resolve();
  });
  await Promise.race([decided.promise, Promise.all(all)]);
  return [...answers];
}
