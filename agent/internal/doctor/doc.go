// Package doctor examines a docking station and says what is wrong with it and
// what to do about it.
//
// It promises: it changes nothing; each check ends within [checkTime]; each
// finding is one sentence, and one that is not OK says what to do; what cannot be
// found out is told as such and never as OK. A check that is about what another
// one failed at (no enrolment, say) says so.
//
// It does not promise that a healthy station works: a camera may be broken. Some
// checks need root, or the agent's user, and say so.
//
// Everything that it looks at comes through [Station], so that tests bring a
// station of their own. The command line is its only caller.
package doctor
