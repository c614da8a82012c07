package service

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
)

// Machine is what installing reaches of the system; tests bring their own.
type Machine struct {
	Root       string // stands before every path; empty for the system itself
	Privileged bool   // this process may change the system
	Executable string // of this program
	Run        func(ctx context.Context, name string, arguments ...string) error
	IDs        func(name string) (uid, gid int, err error) // of a user; user.UnknownUserError when there is none
	Manager    func(executable, data, unit string) (Manager, error)
	Out        io.Writer
}

// ThisMachine is the system that this program runs on.
func ThisMachine(out io.Writer) (Machine, error) {
	executable, err := os.Executable()
	if err != nil {
		return Machine{}, fmt.Errorf("finding this program's own file: %w", err)
	}
	return Machine{Privileged: os.Geteuid() <= 0, Executable: executable, Run: run, IDs: ids, Manager: NewManager, Out: out}, nil
}

func run(ctx context.Context, name string, arguments ...string) error {
	out, err := exec.CommandContext(ctx, name, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

func ids(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, fmt.Errorf("user %s has the number %q", name, u.Uid)
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(group.Gid)
	return uid, gid, err
}
