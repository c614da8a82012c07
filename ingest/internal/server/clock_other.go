//go:build !linux

package server

import "github.com/sealdock/sealdock/ingest/internal/settings"

// clockFact cannot ask this system.
func clockFact() settings.Fact {
	return settings.Fact{Name: "clock", Title: "Clock of the server", Value: "not known on this system", Standing: settings.Weaker, Todo: "See that the machine's clock is kept by NTP."}
}
