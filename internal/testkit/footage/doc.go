// Package footage makes recordings as a body camera would: playable MP4 files
// (H.264 and AAC) with the camera's serial and a running clock burnt into the
// picture, each with a metadata sidecar, and pseudo-random bytes of any length for
// measurements.
//
// Promises: the same [Clip] gives the same bytes with the same ffmpeg on the same
// kind of processor; a clip is made once and then taken from the cache folder, whose
// files appear complete or not at all; several processes may share that folder.
// The people, places and events in the sidecars are invented.
//
// It needs the ffmpeg program, for MP4 only. Where the font is missing the picture
// has no text, and a log line says so.
//
// For the camera simulator and for tests; no part of the product calls it.
package footage
