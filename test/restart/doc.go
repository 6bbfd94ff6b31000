// Package restart proves docs/restart.md: what is done to a daemon under
// sessions that check every message (test/continuity/swarm), by itself and in a
// real systemd (test/systembox).
//
// In small it is part of all tests. "make restart-load" has 15,000 sessions and
// 50 kills; NVSESS_RESTART_SESSIONS, NVSESS_RESTART_KILLS and
// NVSESS_RESTART_PAUSE say otherwise.
package restart
