import { Module } from '@nestjs/common';

/** The module of the app that the documents start. */
@Module({})
export class AppModule {}
