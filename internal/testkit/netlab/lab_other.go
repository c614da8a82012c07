//go:build !linux

package netlab

import (
	"errors"
	"os/exec"
)

// Host is one of the two namespaces, on Linux.
type Host struct{ Address string }

// Start is not possible here.
func (*Host) Start(*exec.Cmd) error { return errors.ErrUnsupported }

// Do runs f.
func (*Host) Do(f func()) { f() }

// Lab is two namespaces and the link between them, on Linux.
type Lab struct{ Client, Server *Host }

// Open is not possible here.
func Open(Conditions) (*Lab, error) { return nil, errors.ErrUnsupported }
