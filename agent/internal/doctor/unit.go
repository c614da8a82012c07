package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/sealdock/sealdock/agent/internal/service"
)

func unit(_ context.Context, s *Station) []Finding {
	const install = "Run sealdock-agent install as root."
	found := []Finding{}
	switch state := s.Service(); state {
	case service.StateRunning:
		found = append(found, fine("The service is running."))
	case service.StateStopped:
		found = append(found, fail("The service is installed and does not run.", "Run sealdock-agent start as root."))
	case service.StateFailed:
		found = append(found, fail("The service has failed.", "Its last words are in journalctl -u "+service.Name+"; then run sealdock-agent restart."))
	case service.StateNotInstalled:
		return one(fail("The service is not installed.", install))
	default:
		return one(warn("This system does not tell how the service stands.", "See that something starts sealdock-agent run and keeps it running."))
	}
	text, err := os.ReadFile(s.at(service.UnitFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found = append(found, warn("The service's unit is not at "+service.UnitFile+".", install))
	case err != nil:
		found = append(found, unknown("The service's unit cannot be read.", err))
	case !current(string(text), s.Config.Data):
		found = append(found, warn("The service's unit is not the one that this version of the agent installs for this data folder.", install+" Changes of your own belong into a drop-in (systemctl edit "+service.Name+")."))
	default:
		found = append(found, fine("The service's unit is current."))
	}
	return found
}

// current says whether a unit is what would be installed, wherever the program is.
func current(text, data string) bool {
	for _, program := range []string{service.Program, "/usr/bin/" + service.Name} {
		if want, err := service.Unit(program, data); err == nil && text == want {
			return true
		}
	}
	return false
}
