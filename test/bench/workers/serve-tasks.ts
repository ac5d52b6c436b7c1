import type { Task, TaskResult } from '../measure/task.js';

/**
 * Does each task that the bench sends, and answers with the measurement. The process ends with the bench,
 * however that ends, and whatever is still open.
 */
export function serveTasks(run: (task: Task) => Promise<readonly number[]>): void {
  process.once('disconnect', () => process.exit());
  process.on('message', (task: Task) => {
    const answer = (result: TaskResult): void => void process.send?.(result);
    run(task).then(
      (measured) => answer({ measured }),
      (error: unknown) =>
        answer({ failed: error instanceof Error ? error.message : String(error) }),
    );
  });
}
