package durable

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// childVariable names the role of a copy of the test program that a test starts.
const childVariable = "DURABLE_TEST_CHILD"

func TestMain(m *testing.M) {
	role := os.Getenv(childVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := child(role, os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
}

// child does one thing in dir, in a process of its own.
func child(role, dir string) error {
	switch role {
	case "lock":
		release, err := LockDir(dir)
		if err != nil {
			return err
		}
		fmt.Println("locked")
		bufio.NewReader(os.Stdin).ReadByte()
		return release()
	case "writefile":
		return WriteFile(filepath.Join(dir, "target"), []byte("data"), 0o600)
	case "rename":
		return Rename(filepath.Join(dir, "a", "x"), filepath.Join(dir, "b", "x"))
	case "mkdirall":
		return MkdirAll(filepath.Join(dir, "p", "q"), 0o700)
	case "mkdirallagain":
		return MkdirAll(filepath.Join(dir, "a"), 0o700)
	case "remove":
		return Remove(filepath.Join(dir, "a", "x"))
	case "file":
		return childFile(dir)
	case "placed":
		return childPlaced(dir, false)
	case "synced":
		return childPlaced(dir, true)
	case "appended":
		return childAppended(dir)
	case "poison":
		return childPoison(dir)
	}
	return fmt.Errorf("unknown role %q", role)
}

func childFile(dir string) error {
	f, err := CreateFile(filepath.Join(dir, "blob"), 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte("data"), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.DropCache(); err != nil {
		return err
	}
	return f.Close()
}

// childPlaced makes a file with Folders.
func childPlaced(dir string, sync bool) error {
	var folders Folders
	f, err := folders.CreateFile(filepath.Join(dir, "a", "blob"), 0o600)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := f.WriteAt([]byte("data"), 0); err != nil {
			return err
		}
		if !sync {
			break
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if err := folders.Place(f, filepath.Join(dir, "b", "blob")); err != nil {
		return err
	}
	return f.Close()
}

// childAppended makes a file with an Appender, and reads it from the medium.
func childAppended(dir string) error {
	var folders Folders
	path := filepath.Join(dir, "a", "blob")
	a, err := folders.CreateAppender(path, 0o600)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := a.Write([]byte("data")); err != nil {
			return err
		}
		if err := a.Sync(); err != nil {
			return err
		}
	}
	if err := a.Close(); err != nil {
		return err
	}
	f, err := OpenRead(path)
	if err != nil {
		return err
	}
	if err := f.FromMedium(); err != nil {
		return err
	}
	if _, err := f.ReadAt(make([]byte, 3), 1); err != nil {
		return err
	}
	return f.Close()
}

// childPoison runs where the kernel fails the first fdatasync only.
func childPoison(dir string) error {
	f, err := CreateFile(filepath.Join(dir, "blob"), 0o600)
	if err != nil {
		return err
	}
	first, again := f.Sync(), f.Sync()
	if errors.Is(first, ErrPoisoned) && errors.Is(again, ErrPoisoned) {
		fmt.Println("poisoned for good:", first)
		return nil
	}
	return fmt.Errorf("first: %v, again: %v", first, again)
}

func childCommand(role, dir string, before ...string) *exec.Cmd {
	argv := slices.Concat(before, []string{os.Args[0], dir})
	c := exec.Command(argv[0], argv[1:]...)
	c.Env = append(os.Environ(), childVariable+"="+role)
	return c
}

func TestLockDirRefusesASecondProcessAndNamesTheFirst(t *testing.T) {
	dir := t.TempDir()
	c := childCommand("lock", dir)
	in, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "locked\n" {
		t.Fatalf("first process: %q, %v", line, err)
	}
	_, err = LockDir(dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process id "+strconv.Itoa(c.Process.Pid)) {
		t.Errorf("second holder: %v, want ErrLocked with process id %d", err, c.Process.Pid)
	}
	must(t, c.Process.Kill()) // a killed holder leaves nothing behind
	in.Close()
	c.Wait()
	release, err := LockDir(dir)
	must(t, err)
	if _, err := LockDir(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second holder in one process: %v", err)
	}
	must(t, release())
	release, err = LockDir(dir)
	must(t, err)
	must(t, release())
}

// TestSystemCallOrder holds the table of doc.go.
func TestSystemCallOrder(t *testing.T) {
	strace := needStrace(t)
	for _, test := range []struct {
		role string
		want []string
	}{
		{"writefile", []string{
			"openat(DIR/.durable-*, O_WRONLY|O_CREAT|O_EXCL)", "write(DIR/.durable-*)", "fsync(DIR/.durable-*)", "close(DIR/.durable-*)",
			"renameat(DIR/.durable-*, DIR/target)", "openat(DIR, O_RDONLY)", "fsync(DIR)", "close(DIR)"}},
		{"rename", []string{
			"renameat(DIR/a/x, DIR/b/x)", "openat(DIR/b, O_RDONLY)", "fsync(DIR/b)", "close(DIR/b)", "openat(DIR/a, O_RDONLY)", "fsync(DIR/a)", "close(DIR/a)"}},
		{"mkdirall", []string{
			"mkdirat(DIR/p)", "openat(DIR, O_RDONLY)", "fsync(DIR)", "close(DIR)", "mkdirat(DIR/p/q)", "openat(DIR/p, O_RDONLY)", "fsync(DIR/p)", "close(DIR/p)"}},
		{"mkdirallagain", []string{"openat(DIR, O_RDONLY)", "fsync(DIR)", "close(DIR)"}},
		{"remove", []string{"unlinkat(DIR/a/x)", "openat(DIR/a, O_RDONLY)", "fsync(DIR/a)", "close(DIR/a)"}},
		{"file", []string{
			"openat(DIR/blob, O_RDWR|O_CREAT|O_EXCL)", "openat(DIR, O_RDONLY)", "fsync(DIR)", "close(DIR)",
			"pwrite64(DIR/blob)", "fdatasync(DIR/blob)", "fadvise64(DIR/blob)", "close(DIR/blob)"}},
		{"placed", []string{
			"openat(DIR/a/blob, O_RDWR|O_CREAT|O_EXCL)", "pwrite64(DIR/a/blob)", "fdatasync(DIR/a/blob)", "renameat(DIR/a/blob, DIR/b/blob)",
			"openat(DIR/b, O_RDONLY)", "fsync(DIR/b)", "close(DIR/b)", "openat(DIR/a, O_RDONLY)", "fsync(DIR/a)", "close(DIR/a)", "close(DIR/b/blob)"}},
		{"synced", []string{
			"openat(DIR/a/blob, O_RDWR|O_CREAT|O_EXCL)", "pwrite64(DIR/a/blob)", "fdatasync(DIR/a/blob)", "openat(DIR/a, O_RDONLY)", "fsync(DIR/a)", "close(DIR/a)",
			"pwrite64(DIR/a/blob)", "fdatasync(DIR/a/blob)", "fdatasync(DIR/a/blob)", "renameat(DIR/a/blob, DIR/b/blob)",
			"openat(DIR/b, O_RDONLY)", "fsync(DIR/b)", "close(DIR/b)", "openat(DIR/a, O_RDONLY)", "fsync(DIR/a)", "close(DIR/a)", "close(DIR/b/blob)"}},
		{"appended", []string{
			"openat(DIR/a/blob, O_RDWR|O_CREAT|O_EXCL)",
			"pwrite64(DIR/a/blob)", "ftruncate(DIR/a/blob)", "fdatasync(DIR/a/blob)", "openat(DIR/a, O_RDONLY)", "fsync(DIR/a)", "close(DIR/a)",
			"pwrite64(DIR/a/blob)", "ftruncate(DIR/a/blob)", "fdatasync(DIR/a/blob)", "close(DIR/a/blob)",
			"openat(DIR/a/blob, O_RDONLY)", "fadvise64(DIR/a/blob)", "close(DIR/a/blob)"}},
	} {
		t.Run(test.role, func(t *testing.T) {
			dir := t.TempDir()
			for _, sub := range []string{"a", "b"} {
				must(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
			}
			must(t, os.WriteFile(filepath.Join(dir, "a", "x"), nil, 0o600))
			log := filepath.Join(t.TempDir(), "trace")
			c := childCommand(test.role, dir, strace, "-f", "-qq", "-y", "-o", log, "-e", "trace="+tracedCalls)
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			trace, err := os.ReadFile(log)
			must(t, err)
			if got := readTrace(string(trace), dir); !slices.Equal(got, test.want) {
				t.Errorf("calls\n  %s\nwant\n  %s\ntrace:\n%s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "), trace)
			}
		})
	}
}

const tracedCalls = "openat,write,pwrite64,ftruncate,fsync,fdatasync,fadvise64,close,renameat,renameat2,mkdirat,unlinkat"

var (
	callPattern  = regexp.MustCompile(`^\d+ +(\w+)\((.*)$`)
	pathPattern  = regexp.MustCompile(`[<"]([^<>"]*)[>"]`)
	flagsPattern = regexp.MustCompile(`, (O_[A-Z_|]+)`)
	tempPattern  = regexp.MustCompile(`\.durable-\w+`)
)

// readTrace reduces a trace to the calls that touch dir, in a short notation.
// A call that another thread interrupted is counted where it began.
func readTrace(trace, dir string) []string {
	var calls []string
	for line := range strings.Lines(trace) {
		m := callPattern.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		var words []string
		for _, p := range pathPattern.FindAllStringSubmatch(m[2], -1) {
			if p[1] == dir || strings.HasPrefix(p[1], dir+"/") {
				words = append(words, tempPattern.ReplaceAllString("DIR"+strings.TrimPrefix(p[1], dir), ".durable-*"))
			}
		}
		if len(words) == 0 {
			continue
		}
		if m[1] == "openat" {
			words = words[:1] // strace repeats the path in the result
			if f := flagsPattern.FindStringSubmatch(m[2]); f != nil {
				words = append(words, strings.ReplaceAll(f[1], "|O_CLOEXEC", ""))
			}
		}
		name := strings.TrimSuffix(m[1], "2")
		calls = append(calls, name+"("+strings.Join(words, ", ")+")")
	}
	return calls
}

func TestFileIsPoisonedWhenTheKernelFailsAFlush(t *testing.T) {
	strace := needStrace(t)
	c := childCommand("poison", t.TempDir(), strace, "-f", "-qq", "-o", os.DevNull, "-e", "inject=fdatasync:error=EIO:when=1")
	out, err := c.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "poisoned for good") || !strings.Contains(string(out), "check the disk") {
		t.Fatalf("%v: %s", err, out)
	}
}

func needStrace(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED: strace is not installed, THE ORDER OF FLUSHES IS NOT CHECKED (apt-get install strace)")
	}
	if out, err := exec.Command(path, "-qq", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: this machine does not let strace trace, THE ORDER OF FLUSHES IS NOT CHECKED: %v: %s", err, out)
	}
	return path
}
