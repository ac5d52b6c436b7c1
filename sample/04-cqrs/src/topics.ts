/** natricine has a topic for each command and each event, named after the class. A topic is a stream. */
export const commandTopic = ({ name }: { readonly name: string }): string => `command.${name}`;
export const eventTopic = ({ name }: { readonly name: string }): string => `event.${name}`;
