import type { FailoverCluster, Way } from './cluster.ts';
import type { Node } from './settings.ts';

/** What happens to a node while the service works. */
export interface Fault {
  readonly name: string;
  begin(cluster: FailoverCluster, leader: Node, way: Way): Promise<Begun>;
  /** Brings the node back, under load. */
  end(cluster: FailoverCluster, victim: Node): Promise<void>;
  /** Nobody leads for a while: the lease has to run out first. */
  readonly isOutage: boolean;
}

interface Begun {
  /** The node that it happens to. */
  readonly victim: Node;
  /** The leader, as soon as commits can go on for somebody who comes by this way. */
  readonly over: Promise<Node>;
}

export const KILLED: Fault = {
  name: 'leader killed',
  async begin(cluster, leader, way) {
    await cluster.kill(leader);
    return { victim: leader, over: cluster.successorOf(leader, way) };
  },
  end: (cluster, victim) => cluster.start(victim),
  isOutage: true,
};

export const PAUSED: Fault = {
  name: 'leader paused, later reset',
  async begin(cluster, leader, way) {
    cluster.pause(leader);
    return { victim: leader, over: cluster.successorOf(leader, way) };
  },
  // As a watchdog does. Patroni 3.0 that simply goes on was seen to take the lock back from the new leader.
  async end(cluster, victim) {
    await cluster.kill(victim);
    await cluster.start(victim);
  },
  isOutage: true,
};

export const SWITCHOVER: Fault = {
  name: 'planned switchover',
  async begin(cluster, leader, way) {
    const successor = cluster.successorOf(leader, way);
    // Patroni answers later than the new leader can be reached, or says why it refuses.
    const done = cluster.switchOver(leader);
    return { victim: leader, over: Promise.race([successor, done.then(() => successor)]) };
  },
  end: async () => undefined,
  isOutage: false,
};

export const STANDBY_KILLED: Fault = {
  name: 'synchronous standby killed',
  async begin(cluster, leader) {
    const victim = await cluster.synchronousStandby();
    await cluster.kill(victim);
    // The dead one does not answer, so whoever says so is another.
    return { victim, over: cluster.synchronousStandby().then(() => leader) };
  },
  end: KILLED.end,
  isOutage: false,
};

export const STANDBY_PAUSED: Fault = {
  name: 'synchronous standby paused, later continued',
  async begin(cluster, leader) {
    const victim = await cluster.synchronousStandby();
    cluster.pause(victim);
    return { victim, over: cluster.synchronousStandby().then(() => leader) };
  },
  end: async (cluster, victim) => cluster.resume(victim),
  isOutage: false,
};
