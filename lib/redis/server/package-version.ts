/** The version of this package. The build writes it, from package.json: neither module format can read that by itself. */
export const PACKAGE_VERSION = '0.1.0';
