import type { Command } from 'commander';
import { EXIT } from '../cli.error.js';
import { type Examination, examine, type LivingMember } from '../doctor/examine.js';
import type { DoctorLimits, Finding } from '../doctor/finding.js';
import { counted, visible, wrapped } from '../output/text.js';
import { streamsOf } from '../reading/streams.js';
import { Session } from '../session.js';

export const doctor = (named: string[], limits: DoctorLimits, command: Command): Promise<void> =>
  Session.with(command, async (session) => {
    const streams = await streamsOf(session, named);
    const examination = await examine(session, streams, limits);
    session.answer(examination, () => examinationText(examination, session.width));
    if (examination.findings.length > 0) process.exitCode = EXIT.found;
  });

function examinationText(examination: Examination, width: number): string {
  const { server, streams, groups, findings, members, notKnown } = examination;
  const looked = `${server}; looked at ${counted(streams, 'stream')} and ${counted(groups, 'group')}.`;
  const summary = [
    looked,
    ...(members.length === 0 ? [] : [membersText(members)]),
    ...(notKnown.length === 0 ? [] : [`Not known: ${notKnown.join('; ')}.`]),
  ];
  return [
    ...summary.map((text) => wrapped(visible(text), width)),
    '',
    ...findings.map((finding) => `${findingText(finding, width)}\n`),
    findings.length === 0 ? 'Nothing found.' : `${counted(findings.length, 'finding')}.`,
  ].join('\n');
}

/** The living members of each group, counted by version. */
function membersText(members: readonly LivingMember[]): string {
  const groups = new Map<string, Map<string, number>>();
  for (const { group, version = 'unknown' } of members) {
    const counts = groups.get(group) ?? new Map<string, number>();
    groups.set(group, counts.set(version, (counts.get(version) ?? 0) + 1));
  }
  const each = [...groups].map(([group, counts]) => {
    const versions = [...counts].map(([version, count]) => `${count} of version ${version}`);
    return `"${group}" ${versions.join(' and ')}`;
  });
  return `Members alive: ${each.join('; ')}.`;
}

function findingText({ level, check, stream, group, what, todo }: Finding, width: number): string {
  const about = [stream, group].filter((name) => name !== undefined).join(' / ');
  return [
    visible(`${level.toUpperCase()} ${check}${about === '' ? '' : `: ${about}`}`),
    wrapped(visible(what), width, '  '),
    wrapped(`→ ${visible(todo)}`, width, '  '),
  ].join('\n');
}
