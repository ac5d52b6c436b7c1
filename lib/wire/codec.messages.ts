export const fieldMissing = (field: string): string => `field "${field}" is missing`;

export const notJson = (what: string): string => `${what} has no JSON form`;

export const notJsonText = (field: string): string => `field "${field}" is not JSON`;

export const notUtf8 = (field: string): string => `field "${field}" is not UTF-8`;

export const notBase64Text = (): string =>
  'field "body" is not a JSON string in base64, although "body-encoding" says so';

export const notAStringMap = (field: string): string =>
  `field "${field}" does not have the expected form`;

export const notMessagePack = (field: string): string =>
  `field "${field}" is not a MessagePack map of strings`;

export const encodingUnknown = (field: string): string =>
  `field "${field}" names an unknown encoding`;

export const PAYLOAD_NOT_TEXT = 'the payload is not a string, but the codec has payload: "text"';

export const PAYLOAD_NOT_UNICODE = 'the payload has unpaired surrogates, which UTF-8 cannot encode';

export const PAYLOAD_NOT_BYTES =
  'the payload is not a Buffer or Uint8Array, but the codec has payload: "bytes"';

export const BYTES_IN_A_FIELD =
  'the payload is bytes, and the entry could not tell; for a stream of bytes, set the codec\'s payload: "bytes"';

export const notInOneField = (what: string, field: string): string =>
  `its ${what} would be lost: the entry has only the field "${field}"`;

export const headerReserved = (header: string): string =>
  `header "${header}" has a name that this codec uses itself`;

export const ID_NOT_UUID = 'its message ID is not a UUID, and natricine reads only UUIDs';

export const schemaFailed = (reason: string): string => `the schema failed: ${reason}`;

export const NO_SCHEMA_RESULT = 'it returned neither a value nor issues';

export const NO_ISSUE_NAMED = 'the schema refused it without an issue';

export const moreIssues = (more: number): string => `and ${more} more`;

export const serializerFailed = (reason: string): string => `the serializer failed: ${reason}`;

export const ASYNC_SERIALIZER = 'the serializer returned a promise, but must return a value';

export const ASYNC_DESERIALIZER = 'the deserializer returned a promise, but must return a value';

export const NO_PACKET = 'the deserializer returned no packet with data';

export const requestFieldWrong = (field: string): string =>
  `field "${field}" is not valid for a request`;
