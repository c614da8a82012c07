package doctor

import (
	"context"
	"io/fs"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/service"
)

// Station is all that is examined, and how it is reached.
type Station struct {
	Root        string // stands before every path of the system; empty for this machine
	Config      daemon.Config
	ConfigErr   error            // why the configuration cannot be worked with; Config is then what stands in for it
	Identity    *enrol.Enrolment // nil when IdentityErr says why
	IdentityErr error
	Now         func() time.Time

	User    func() (User, error)              // that the agent runs as
	Rights  func(path string) (Rights, error) // of a file, not of what a link points to
	Disk    func(path string) (Disk, error)   // that holds a folder
	Clock   func() (Clock, error)
	Service func() service.State
	Buffers func() (Buffers, error)
	Spool   func(context.Context) (daemon.SpoolStatus, error) // of the running agent; nil: nobody is asked
	Network Network
}

// User is the agent's user.
type User struct {
	Name     string
	UID, GID int
}

// Rights are who may do what with a file.
type Rights struct {
	UID, GID int
	Mode     fs.FileMode
}

// allows says whether a user may do what bits (of 4 read, 2 write, 1 enter) say.
func (r Rights) allows(u User, bits fs.FileMode) bool {
	mode := r.Mode.Perm()
	switch {
	case u.UID == 0:
		return true
	case r.UID == u.UID:
		mode >>= 6
	case r.GID == u.GID:
		mode >>= 3
	}
	return mode&bits == bits
}

// Disk is a file system.
type Disk struct {
	Kind        string // "ext4"
	Free, Total uint64 // bytes that an ordinary user may write, and all
	ReadOnly    bool
}

// Clock is what the kernel knows of its clock.
type Clock struct {
	Synchronised bool
	Error        time.Duration // at most, by the kernel's own reckoning
}

// Buffers are what a socket of the agent gets, in bytes as the kernel counts.
type Buffers struct{ Wanted, Receive, Send int }

// Network reaches the server.
type Network interface {
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	Connect(ctx context.Context, address string) error                                  // TCP, nothing said
	Date(ctx context.Context, address string, e *enrol.Enrolment) (time.Time, error)    // of an answer over HTTPS
	Handshake(ctx context.Context, address string, e *enrol.Enrolment) (accepted error) // QUIC, with the dock's certificate
}

func (s *Station) at(path string) string { return filepath.Join(s.Root, path) }
