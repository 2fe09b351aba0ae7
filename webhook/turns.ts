/** Who may go on now, where many together would take too much memory. Pure but for its timers. */

export interface Turn {
  /** resolves when the turn begins; undefined: it has begun */
  readonly begun: Promise<void> | undefined;
  /** to be called when it is done with, also by one that gave up waiting; again does no harm */
  readonly end: () => void;
}

/** Returns the turn of something of so many bytes. */
export type Turns = (bytes: number) => Turn;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

/**
 * In the order in which they come, as many at once as take `room` bytes together; a larger one goes alone. Whoever has not ended after `patienceMs` keeps its
 * turn and gives up its room: a slow one must not hold up the others.
 */
export function createTurns(room: number, patienceMs: number): Turns {
  const waiting = new Set<Waiting>();
  let free = room;
  const callUp = (): void => {
    for (const next of waiting) {
      if (next.bytes > free) return;
      waiting.delete(next);
      next.begin();
    }
  };
  return (size) => {
    const bytes = Math.min(size, room);
    let patience: NodeJS.Timeout | undefined;
    const giveUpRoom = (): void => {
      if (patience === undefined) return;
      clearTimeout(patience);
      patience = undefined;
      free += bytes;
      callUp();
    };
    const take = (): void => {
      free -= bytes;
      patience = setTimeout(giveUpRoom, patienceMs).unref();
    };
    if (waiting.size === 0 && bytes <= free) {
      take();
      return { begun: undefined, end: giveUpRoom };
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const one: Waiting = {
      bytes,
      begin: () => {
        take();
        resolve();
      },
    };
    waiting.add(one);
    const end = (): void => {
      waiting.delete(one);
      giveUpRoom();
    };
    return { begun: promise, end };
  };
}
