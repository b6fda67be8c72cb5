/** Version of this package, as beats and `package.json` have it. */
export const VERSION = '0.1.0';
