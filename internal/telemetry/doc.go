// Package telemetry sets the programs' logs up: one line per event on a writer,
// as text or JSON, times in UTC, and an attribute that names the component.
//
// The main function makes one logger and passes it on; no package reaches for
// a global one. Nothing else is promised: no metrics, no files, no rotation.
package telemetry
