package closed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// standIn is the name under which this program is started between fork and exec.
const standIn = "sealdock-closed-process"

// order is what the stand-in does.
type order struct {
	Program string
	Args    []string
	Limits  Limits
	Land    bool // Landlock too
}

// Main builds the walls and becomes the program, where this process was started for
// that. Otherwise it returns at once.
func Main() {
	if len(os.Args) != 2 || os.Args[0] != standIn {
		return
	}
	err := become(os.Args[1])
	fmt.Fprintln(os.Stderr, "closing a process in:", err)
	os.Exit(125)
}

func become(text string) error {
	runtime.LockOSThread()
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	seconds := uint64(o.Limits.CPU.Seconds())
	for _, l := range []struct {
		what  int
		value uint64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_CPU, max(seconds, 1)}, {unix.RLIMIT_FSIZE, o.Limits.Output}, {unix.RLIMIT_NOFILE, 64}, {unix.RLIMIT_AS, o.Limits.Memory}} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return err
		}
	}
	if o.Land {
		if err := readOnly("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives"); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
	}
	return unix.Exec(o.Program, append([]string{o.Program}, o.Args...), []string{})
}

func run(ctx context.Context, program string, args []string, files []*os.File, limits Limits, said io.Writer) error {
	walls := present()
	text, err := json.Marshal(order{program, args, limits, walls.land})
	if err != nil {
		return err
	}
	return command(ctx, string(text), files, said, walls.spaces).Run()
}

func command(ctx context.Context, text string, files []*os.File, said io.Writer, spaces bool) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", text)
	cmd.Args[0] = standIn
	cmd.Env, cmd.Dir, cmd.ExtraFiles, cmd.Stderr = []string{}, "/", files, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if spaces {
		const nobody = 65534
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// walls are what this system allows.
type walls struct{ land, spaces bool }

var present = sync.OnceValue(func() (w walls) {
	w.land = landlockVersion() >= 1
	text, _ := json.Marshal(order{Program: "/bin/true", Limits: Limits{CPU: 1e9, Memory: 1 << 33, Output: 1}})
	w.spaces = command(context.Background(), string(text), nil, io.Discard, true).Run() == nil
	return w
})

// Walls names what this system allows beyond limits, for people.
func Walls() []string {
	w := present()
	names := []string{"limits of time, memory and output", "no new rights"}
	if w.land {
		names = append(names, "no files (Landlock)")
	}
	if w.spaces {
		names = append(names, "no network and no other processes (namespaces)")
	}
	return names
}

// limited says whether a limit of the kernel ended a program.
func limited(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status := exit.Sys().(syscall.WaitStatus)
	return status.Signaled() && slices.Contains([]syscall.Signal{syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGKILL}, status.Signal())
}

// Memory returns a file of zero bytes that lies in memory alone, where they take no
// room. Close it.
func Memory(name string, size int64) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := f.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("making a file in memory: %w", err), f.Close())
	}
	return f, nil
}
