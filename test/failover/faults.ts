import type { FailoverCluster } from './cluster.ts';
import type { Node } from './settings.ts';

/** What happens to the leader while the service works. */
export interface Fault {
  readonly name: string;
  begin(cluster: FailoverCluster, leader: Node): Promise<void> | void;
  /** Brings the old leader back, under load, when another leads. */
  end(cluster: FailoverCluster, old: Node): Promise<void> | void;
  /** The leader's lease has to run out first, so that somebody is refused for sure. */
  readonly isOutage: boolean;
}

export const KILLED: Fault = {
  name: 'leader killed',
  begin: (cluster, leader) => cluster.kill(leader),
  end: (cluster, old) => cluster.start(old),
  isOutage: true,
};

export const PAUSED: Fault = {
  name: 'leader paused, later continued',
  begin: (cluster, leader) => cluster.pause(leader),
  end: (cluster, old) => cluster.resume(old),
  isOutage: true,
};

export const SWITCHOVER: Fault = {
  name: 'planned switchover',
  begin: (cluster) => cluster.switchOver(),
  end: () => undefined,
  isOutage: false,
};
