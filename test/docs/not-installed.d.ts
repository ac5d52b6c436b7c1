// What the documents name and this package does not install.
declare module '@opentelemetry/instrumentation' {
  export function registerInstrumentations(options: { instrumentations: unknown[] }): void;
}
