/** Name of the symbol under which the state of a process is kept, for both builds of the package. */
export const PROCESS_KEY = 'heartline.process.1';
