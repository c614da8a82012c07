package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/sealdock/sealdock/agent/internal/service"
)

func rules(_ context.Context, s *Station) []Finding {
	const install = "Run sealdock-agent install as root, then plug the cameras in again."
	text, err := os.ReadFile(s.at(service.RuleFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.Config.Cameras.USB:
		return one(fine("There are no udev rules, and this machine's USB is not used."))
	case errors.Is(err, fs.ErrNotExist):
		return one(fail("The udev rules that give cameras to the agent are missing ("+service.RuleFile+").", install))
	case err != nil:
		return one(unknown("The udev rules cannot be read.", err))
	case string(text) != service.Rules():
		return one(warn("The udev rules at "+service.RuleFile+" are not those of this version of the agent.", install+" Rules of your own belong into a file that sorts after it."))
	}
	if _, err := os.Stat(s.at("/run/udev/control")); err != nil {
		return one(warn("The udev rules are there, and udevd, which would use them, does not run.", "Start systemd-udevd, or let the agent's group open the cameras in another way."))
	}
	return one(fine("The udev rules are there and current."))
}
