/** Warnings of the emitter, which no receiver can turn against it or its agent. */

export class Log {
  constructor(
    private readonly agent: string,
    private readonly receive: ((message: string) => void) | undefined,
  ) {}

  warn(message: string): void {
    // There is nowhere to report that reporting has failed.
    try {
      const result: unknown =
        typeof this.receive === 'function'
          ? this.receive(message)
          : console.warn(`heartline (${this.agent}): ${message}`);
      if (result instanceof Promise) result.catch(() => {});
    } catch {}
  }
}
