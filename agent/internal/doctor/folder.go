package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/agent/internal/service"
)

func folder(_ context.Context, s *Station) []Finding {
	data := s.Config.Data
	mend := fmt.Sprintf("Run sealdock-agent install as root: it sets owner and rights of %s.", data)
	user, err := s.User()
	if err != nil {
		return one(fail("The agent's user "+service.Name+" does not exist.", "Run sealdock-agent install as root: it makes the user."))
	}
	rights, err := s.Rights(s.at(data))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(fail("The data folder "+data+" does not exist.", "Run sealdock-agent install as root, or name the right folder with --data."))
	case err != nil:
		return one(unknown("The data folder "+data+" cannot be looked at.", err))
	case !rights.Mode.IsDir():
		return one(fail(data+" is no folder.", "Name the right folder with --data."))
	case rights.UID != user.UID:
		return one(fail(fmt.Sprintf("The data folder %s belongs to user number %d and not to %s.", data, rights.UID, user.Name), mend))
	case !rights.allows(user, 7):
		return one(fail(fmt.Sprintf("The data folder %s has mode %04o: the agent may not work in it.", data, rights.Mode.Perm()), mend))
	case rights.Mode.Perm()&0o077 != 0:
		return one(fail(fmt.Sprintf("The data folder %s has mode %04o: others than the agent may look into it, and the dock's keys are there.", data, rights.Mode.Perm()), mend))
	}
	stranger, err := s.stranger(user)
	switch {
	case err != nil:
		return one(unknown("Not all in the data folder can be looked at.", err))
	case stranger != "":
		return one(fail(fmt.Sprintf("%s does not belong to %s.", stranger, user.Name), mend))
	}
	return one(fine("The data folder " + data + " belongs to the agent alone."))
}

// stranger is a file that the agent needs and that belongs to another user.
func (s *Station) stranger(user User) (string, error) {
	for _, pattern := range []string{"*", "identity/*"} {
		paths, err := filepath.Glob(filepath.Join(s.at(s.Config.Data), pattern))
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			if rights, err := s.Rights(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			} else if err == nil && rights.UID != user.UID {
				return strings.TrimPrefix(path, s.Root), nil
			}
		}
	}
	return "", nil
}

// otherAgent looks for an agent on the data folder that is not the service.
func otherAgent(_ context.Context, s *Station) []Finding {
	text, err := os.ReadFile(filepath.Join(s.at(s.Config.Data), "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return one(fine("No agent has used the data folder yet."))
	}
	if err != nil {
		return one(unknown("Who works on the data folder cannot be looked at.", err))
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:min(len(text), 32)])))
	if err != nil || pid <= 0 {
		return one(fine("No agent works on the data folder."))
	}
	process := filepath.Join(s.at("/proc"), strconv.Itoa(pid))
	name, err := os.ReadFile(filepath.Join(process, "comm"))
	if err != nil || !strings.HasPrefix(string(name), "sealdock-agent"[:14]) {
		return one(fine("No other agent works on the data folder.")) // the number is of an agent that ended
	}
	group, err := os.ReadFile(filepath.Join(process, "cgroup"))
	if err == nil && strings.Contains(string(group), "/"+service.Name+".service") {
		return one(fine("The service works on the data folder, and no other agent."))
	}
	return one(warn(fmt.Sprintf("Process %d is an agent on this data folder and is not the service, which cannot run beside it.", pid),
		fmt.Sprintf("If it was started by hand, end it (kill %d) and run sealdock-agent start.", pid)))
}
