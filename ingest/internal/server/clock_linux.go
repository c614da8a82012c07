package server

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/ingest/internal/settings"
)

// timeError is what adjtimex(2) answers for a clock that nobody keeps.
const timeError = 5

// clockFact asks the kernel whether somebody keeps its clock.
func clockFact() settings.Fact {
	f := settings.Fact{Name: "clock", Title: "Clock of the server", Standing: settings.AsDefault}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		f.Value, f.Standing, f.Todo = "could not be asked for", settings.Weaker, "The kernel tells nothing here: see that the machine's clock is kept by NTP."
	case state == timeError:
		f.Value, f.Standing, f.Todo = "nobody keeps it, the kernel says", settings.Weaker, "Run a time service: chrony, systemd-timesyncd or ntpd."
	default:
		f.Value = fmt.Sprintf("kept, within %.1f s by the kernel's own bound", float64(t.Maxerror)/1e6)
	}
	return f
}
