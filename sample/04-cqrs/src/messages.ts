/** A task for one service. */
export class CreateUser {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {}
}

/** A task for a service in Python. */
export class PostLetter {
  constructor(
    readonly id: string,
    readonly to: string,
  ) {}
}

/** Something that happened, for all interested services. */
export class UserCreated {
  constructor(
    readonly id: string,
    readonly name: string,
  ) {}
}

/** Turns a payload, which is plain JSON, back into an instance of its class, because the buses dispatch by class. */
export const revived = <Message extends object>(
  type: { readonly prototype: Message },
  payload: object,
): Message => Object.assign(Object.create(type.prototype), payload);
