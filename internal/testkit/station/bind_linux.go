package station

import (
	"os/exec"
	"syscall"
)

// bind has the kernel end a process with the one that started it: nothing outlives a test.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
