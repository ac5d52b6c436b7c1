import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/** Before the root module, which has 1, and whatever it imports. */
const NEAREST = -1;

/** What is done when the app begins to close, before any of its own modules is told. */
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
 * Nest closes modules by their distance from the root, the nearest first and the global ones last; among those as far
 * as ours, the order of imports would decide whether a running handler keeps the providers that it uses. So this one
 * claims to be the nearest. It has nothing else to which the order could matter.
 */
@Module({ providers: [ClosingFirst], exports: [ClosingFirst] })
export class ClosingFirstModule {
  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    for (const module of modules.values()) {
      if (module.metatype === ClosingFirstModule) module.distance = NEAREST;
    }
  }
}
