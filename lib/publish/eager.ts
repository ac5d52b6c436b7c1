import { Observable } from 'rxjs';

/**
 * An Observable of something that is under way already: it gives the one value, or the error, to whoever subscribes
 * and whenever.
 *
 * @param onUnobserved told of an error that comes when nobody has subscribed
 */
export function eager<Value>(
  underWay: Promise<Value>,
  onUnobserved: (error: unknown) => void,
): Observable<Value> {
  let observed = false;
  underWay.catch((error: unknown) => {
    if (!observed) onUnobserved(error);
  });
  return new Observable((subscriber) => {
    observed = true;
    underWay.then(
      (value) => {
        subscriber.next(value);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(error),
    );
  });
}
