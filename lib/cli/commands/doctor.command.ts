import type { Command } from 'commander';
import * as words from '../doctor/doctor.messages.js';
import { type Examination, examine, type LivingMember } from '../doctor/examine.js';
import type { DoctorLimits, Finding } from '../doctor/finding.js';
import { EXIT } from '../cli.error.js';
import { visible } from '../output/visible.js';
import { streamsOf } from '../reading/streams-of.js';
import { Session } from '../session.js';
import { wrapped } from '../output/wrapped.js';

export const doctor = (named: string[], limits: DoctorLimits, command: Command): Promise<void> =>
  Session.with(command, async (session) => {
    const streams = await streamsOf(session, named);
    const examination = await examine(session, streams, limits);
    session.answer(examination, () => examinationText(examination, session.width));
    if (examination.findings.length > 0) process.exitCode = EXIT.found;
  });

function examinationText(examination: Examination, width: number): string {
  const { server, streams, groups, findings, members, notKnown } = examination;
  return [
    wrapped(words.looked(streams, groups, visible(server)), width),
    ...(members.length === 0 ? [] : [wrapped(visible(words.alive(byVersion(members))), width)]),
    ...(notKnown.length === 0 ? [] : [wrapped(visible(words.notLookedAt(notKnown)), width)]),
    '',
    ...findings.map((finding) => `${findingText(finding, width)}\n`),
    findings.length === 0 ? words.NOTHING_FOUND : words.found(findings.length),
  ].join('\n');
}

/** Of each group its living members, counted by version. */
function byVersion(members: readonly LivingMember[]): [string, Map<string, number>][] {
  const groups = new Map<string, Map<string, number>>();
  for (const { group, version = 'unknown' } of members) {
    const counts = groups.get(group) ?? new Map<string, number>();
    groups.set(group, counts.set(version, (counts.get(version) ?? 0) + 1));
  }
  return [...groups];
}

function findingText({ level, check, stream, group, what, todo }: Finding, width: number): string {
  const about = [stream, group].filter((name) => name !== undefined).join(' / ');
  return [
    visible(`${level.toUpperCase()} ${check}${about === '' ? '' : `: ${about}`}`),
    wrapped(visible(what), width, '  '),
    wrapped(`→ ${visible(todo)}`, width, '  '),
  ].join('\n');
}
