package doctor

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/service"
)

// ThisStation is the machine that this program runs on. A configuration that
// cannot be worked with is given with its error.
func ThisStation(config daemon.Config, configErr error, state func() service.State, now func() time.Time) *Station {
	s := &Station{Config: config, ConfigErr: configErr, Now: now, User: agentUser, Rights: rightsOf, Disk: diskOf, Clock: kernelClock, Buffers: socketBuffers, Service: state, Network: Wires{Now: now}}
	s.Spool = func(ctx context.Context) (daemon.SpoolStatus, error) {
		status, err := daemon.FetchStatus(ctx, config.Data)
		if err != nil {
			return daemon.SpoolStatus{}, err
		}
		return status.Spool, nil
	}
	s.Identity, s.IdentityErr = enrol.Load(config.Data)
	if s.IdentityErr != nil {
		s.Identity = nil
	}
	return s
}

// agentUser is the service's user; where there is none and an ordinary user runs
// the agent by hand, that one.
func agentUser() (User, error) {
	u, err := user.Lookup(service.Name)
	if err != nil && os.Geteuid() > 0 {
		u, err = user.Current()
	}
	if err != nil {
		return User{}, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return User{}, fmt.Errorf("user %s has no number: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return User{}, fmt.Errorf("the group of user %s has no number: %w", u.Username, err)
	}
	return User{Name: u.Username, UID: uid, GID: gid}, nil
}
