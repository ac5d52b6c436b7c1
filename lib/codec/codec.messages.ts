export const fieldMissing = (field: string): string => `field "${field}" is missing`;

export const notJson = (type: string): string => `a ${type} has no JSON form`;

export const notBase64Text = (): string =>
  'field "body" says that it is base64, and is not a JSON string';

export const notAStringMap = (field: string): string =>
  `field "${field}" is not an object of the expected form`;
