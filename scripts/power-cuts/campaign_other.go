//go:build !linux

package main

import (
	"context"
	"errors"
)

// campaign is all rounds on all kinds of file system.
type campaign struct {
	rounds   int
	kinds    []string
	seed     uint64
	bin, dir string
	keep     bool
	only     int
	teeth    bool
}

func (c *campaign) run(context.Context) error {
	return errors.New("file systems are cut off on Linux only")
}
