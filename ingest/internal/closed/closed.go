package closed

import (
	"errors"
	"os"
	"time"
)

// ErrLimit: the program used up what it may have of time, memory or output.
var ErrLimit = errors.New("the program was stopped at its limits")

// ErrFailed: the program itself gave up.
var ErrFailed = errors.New("the program failed")

// Where the program finds its files.
const (
	Input  = "/proc/self/fd/3"
	Output = "/proc/self/fd/4"
)

// Limits are what a program may use.
type Limits struct {
	Time   time.Duration // by the clock, and of the processor
	Memory uint64        // bytes of address space
	Output uint64        // bytes that a file may grow to
}

// Command is what is to be run.
type Command struct {
	Program string   // an absolute path
	Args    []string // behind its name
	Input   *os.File // nil: an empty file
	Output  *os.File // also its standard output
	Limits  Limits
}

// Result is how it went.
type Result struct {
	Errors string   // what it wrote to its standard error, cut to 4 KiB
	Closed []string // what was in force
}
