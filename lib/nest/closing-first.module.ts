import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/** Nearer than the root module, which has 1, and all that it imports. */
const NEAREST = -1;

/** Runs steps when the app starts to close, before the hooks of any of its own modules. */
@Injectable()
export class ClosingFirst implements OnModuleDestroy {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.steps.map((step) => step()));
  }
}

/**
 * Nest closes modules by their distance from the root, the nearest first and the global ones last. Among modules at the same
 * distance, the order of imports would decide whether a running handler keeps the providers that it uses. So this module
 * claims to be the nearest; nothing else in it depends on the order.
 */
@Module({ providers: [ClosingFirst], exports: [ClosingFirst] })
export class ClosingFirstModule {
  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    for (const module of modules.values()) {
      if (module.metatype === ClosingFirstModule) module.distance = NEAREST;
    }
  }
}
