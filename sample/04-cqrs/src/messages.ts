/** Something that is to be done, by one service. */
export class CreateUser {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {}
}

/** Something that has happened, for all services that care. */
export class UserCreated {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {}
}

/** A payload is what JSON left of it: here it is an instance of its class again, by which the buses know it. */
export const revived = <Message extends object>(
  its: { readonly prototype: Message },
  payload: object,
): Message => Object.assign(Object.create(its.prototype), payload);
