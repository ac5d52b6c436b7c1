/** The instance of `RedisStreamsModule` that a metric is about. */
export interface InstanceName {
  readonly name: string | undefined;
}

/** The label of metrics of an instance that has a name. Prometheus calls a target `instance`. */
const NAME = 'instance_name';

export const INSTANCE_LABELS = [NAME] as const;
export const GROUP_LABELS = ['stream', 'group', NAME] as const;

/** Labels of an instance: none if it has no name, so that an app with one instance has the metrics that it always had. */
export const instanceLabels = ({ name }: InstanceName): { readonly [NAME]?: string } =>
  name === undefined ? {} : { [NAME]: name };

/** Labels of a group's stream. */
export interface GroupLabels {
  readonly stream: string;
  readonly group: string;
  readonly [NAME]?: string;
}

export const groupLabels = (
  { stream, group }: { readonly stream: string; readonly group: string },
  instance: InstanceName,
): GroupLabels => ({ stream, group, ...instanceLabels(instance) });

export const keyOf = ({ stream, group, [NAME]: name }: GroupLabels): string =>
  JSON.stringify([stream, group, name]);
