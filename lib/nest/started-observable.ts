import { Observable } from 'rxjs';

/**
 * An Observable of work that has started already: it gives the one value, or the error, to each subscriber, however late.
 *
 * @param onUnobserved called with an error that occurs before anybody has subscribed
 */
export function startedObservable<Value>(
  started: Promise<Value>,
  onUnobserved: (error: unknown) => void,
): Observable<Value> {
  let observed = false;
  started.catch((error: unknown) => {
    if (!observed) onUnobserved(error);
  });
  return new Observable((subscriber) => {
    observed = true;
    started.then(
      (value) => {
        subscriber.next(value);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(error),
    );
  });
}
