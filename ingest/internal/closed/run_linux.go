package closed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// helperName is the name under which this program is its own helper.
const helperName = "sealdock-closed"

// File makes an empty file in memory, without a name. Close gives the memory back.
func File() (*os.File, error) {
	fd, err := unix.MemfdCreate("sealdock", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}

// Seal makes a file of [File] unchangeable for good, for whoever holds it.
func Seal(f *os.File) error {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("sealing a file in memory: %w", err)
	}
	return nil
}

// namespaces are what the program gets of its own.
const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// nobody is the user that it sees itself as.
const nobody = 65534

// entered: this program would be its own helper, and no second copy of itself.
var entered atomic.Bool

// Run runs a program to its end. Errors wrap ErrLimit, ErrFailed, or the
// context's.
func Run(ctx context.Context, c Command) (*Result, error) {
	if !entered.Load() {
		return nil, errors.New("closed.Enter was not called when this program began")
	}
	// The kernel kills the program when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	result, err := run(ctx, &c, namespaces)
	if started := (*notStarted)(nil); errors.As(err, &started) && !errors.Is(err, os.ErrNotExist) {
		result, err = run(ctx, &c, 0)
	}
	if err != nil {
		return result, fmt.Errorf("running %s: %w", c.Program, err)
	}
	return result, nil
}

// notStarted: there is no process, or not in the namespaces that were wanted.
type notStarted struct{ error }

func (n *notStarted) Unwrap() error { return n.error }

func run(ctx context.Context, c *Command, spaces uintptr) (*Result, error) {
	input := c.Input
	if input == nil {
		var err error
		if input, err = File(); err != nil {
			return nil, err
		}
		defer input.Close()
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer told.Close()
	defer tell.Close()
	timed, cancel := context.WithTimeout(ctx, c.Limits.Time)
	defer cancel()
	said := &bounded{}
	cmd := exec.CommandContext(timed, "/proc/self/exe")
	cmd.Args = append([]string{helperName, fmt.Sprint(int64(c.Limits.Time.Seconds()) + 1), fmt.Sprint(c.Limits.Memory), fmt.Sprint(c.Limits.Output), c.Program}, c.Args...)
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.Stdout, cmd.Stderr = c.Output, said
	cmd.ExtraFiles = []*os.File{input, c.Output, tell}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Cloneflags: spaces}
	if spaces != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getegid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return nil, &notStarted{err}
	}
	tell.Close()
	var force bytes.Buffer
	_, copied := io.Copy(&force, io.LimitReader(told, 1<<10))
	err = cmd.Wait()
	result := &Result{Errors: strings.TrimSpace(said.String()), Closed: strings.Fields(force.String())}
	if spaces != 0 {
		result.Closed = append(result.Closed, "namespaces")
	}
	return result, errors.Join(judge(ctx, timed, cmd, result, err), copied)
}

// judge says why a program ended.
func judge(ctx, timed context.Context, cmd *exec.Cmd, result *Result, err error) error {
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case err == nil && len(result.Closed) > 0:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case timed.Err() != nil:
		return fmt.Errorf("it took too long: %w", ErrLimit)
	case status.Signaled() && (status.Signal() == syscall.SIGXFSZ || status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGKILL):
		return fmt.Errorf("it ended with %v: %w", status.Signal(), ErrLimit)
	}
	return fmt.Errorf("%v: %.300q: %w", cmd.ProcessState, result.Errors, ErrFailed)
}

// bounded keeps the first 4 KiB of what is written.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), 4<<10-b.Len())])
	return len(p), nil
}

// Enter must be the first thing that a program does which calls Run, tests included:
// it returns at once, but where this process is Run's helper.
func Enter() {
	entered.Store(true)
	if len(os.Args) < 5 || os.Args[0] != helperName {
		return
	}
	// What is set is of this thread, which becomes the program.
	runtime.LockOSThread()
	fmt.Fprintln(os.Stderr, "shutting it off:", enter(os.Args[1:4], os.Args[4], os.Args[4:]))
	os.Exit(125)
}

// enter ends in the program's place; it returns only when it could not.
func enter(limits []string, program string, args []string) error {
	var numbers [3]uint64
	for i, text := range limits {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	tell := os.NewFile(5, "tell")
	unix.CloseOnExec(5)
	path, err := unix.BytePtrFromString(program)
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return err
	}
	envv := []*byte{nil}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	force := "limits no_new_privs seccomp"
	if err := landlock(); err == nil {
		force += " landlock"
	} else if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("landlock: %w", err)
	}
	if _, err := fmt.Fprintln(tell, force); err != nil {
		return err
	}
	for _, l := range []struct {
		what int
		most uint64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_CPU, numbers[0]}, {unix.RLIMIT_FSIZE, numbers[2]}, {unix.RLIMIT_NOFILE, 32}, {unix.RLIMIT_MEMLOCK, 0}, {unix.RLIMIT_MSGQUEUE, 0}} {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("limit %d: %w", l.what, err)
		}
	}
	if err := filter(); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	// From here on this program itself may have less memory than it uses: nothing is made any more.
	return become(path, argv, envv, numbers[1])
}
