export const fieldMissing = (field: string): string => `field "${field}" is missing`;

export const notJson = (what: string): string => `${what} has no JSON form`;

export const notJsonText = (field: string): string => `field "${field}" is not JSON`;

export const notUtf8 = (field: string): string => `field "${field}" is not UTF-8`;

export const notBase64Text = (): string =>
  'field "body" is not a JSON string in base64, as its encoding says';

export const notAStringMap = (field: string): string =>
  `field "${field}" is not an object of the expected form`;

export const notMessagePack = (field: string): string =>
  `field "${field}" is not a MessagePack map of texts`;

export const encodingUnknown = (field: string): string =>
  `field "${field}" names an encoding that is not known here`;

export const PAYLOAD_NOT_TEXT = 'the payload is not text, as the codec\'s payload: "text" wants it';

export const PAYLOAD_NOT_UNICODE = 'the payload has halves of characters, which UTF-8 cannot carry';

export const PAYLOAD_NOT_BYTES =
  'the payload is not a Buffer or Uint8Array, as the codec\'s payload: "bytes" wants it';

export const BYTES_IN_A_FIELD =
  'the payload is bytes, and nothing in the entry could say so; for a stream of bytes the codec takes payload: "bytes"';

export const notInOneField = (what: string, field: string): string =>
  `its ${what} would be lost: the entry has the field "${field}" alone`;

export const headerReserved = (header: string): string =>
  `header "${header}" is a name that this codec uses itself`;

export const ID_NOT_UUID = 'its message ID is not a UUID, and natricine reads no other';

export const schemaFailed = (reason: string): string => `the schema failed: ${reason}`;

export const NO_SCHEMA_RESULT = 'it gave neither a value nor issues';

export const NO_ISSUE_NAMED = 'the schema refused it without an issue';

export const moreIssues = (more: number): string => `and ${more} more`;

export const serializerFailed = (reason: string): string => `the serializer failed: ${reason}`;

export const ASYNC_SERIALIZER = 'the serializer gave a promise; here it has to answer at once';

export const ASYNC_DESERIALIZER = 'the deserializer gave a promise; here it has to answer at once';

export const NO_PACKET = 'the deserializer gave no packet with data';

export const requestFieldWrong = (field: string): string =>
  `field "${field}" is not what a request has there`;
