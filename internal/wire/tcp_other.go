//go:build !linux

package wire

import (
	"errors"
	"net"
	"time"
)

// prepareTCP leaves the socket as the system made it.
func prepareTCP(*net.TCPConn, time.Duration) {}

func newKernelMeter(*net.TCPConn) (meter, error) {
	return nil, errors.New("the kernel's figures of a connection: not on this system")
}
