// Package backoff says how long to wait before trying again: exponentially
// longer pauses with jitter, so that many docks that lost one server do not
// come back in step.
//
// It keeps no timer between calls and knows nothing of what is tried. Whether a
// failure is worth another try is the caller's decision.
package backoff
