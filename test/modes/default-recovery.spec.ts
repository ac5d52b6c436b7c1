import { MODES, pair } from './modes.js';
import { modesSuite } from './modes-suite.js';

// The heartbeat interval is 20 seconds here, so these tests take more than a minute, most of which they wait.
// Meanwhile a backlog and the restarts of chosen modes have their full size.
const { longLease, partitions, noLedger } = MODES;

modesSuite([longLease, pair(partitions, longLease), pair(pair(partitions, longLease), noLedger)], {
  title: 'default recovery',
  heavy: true,
});
