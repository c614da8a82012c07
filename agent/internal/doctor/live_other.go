//go:build !linux

package doctor

import "errors"

var errElsewhere = errors.New("this can be told on Linux only")

func rightsOf(string) (Rights, error) { return Rights{}, errElsewhere }
func diskOf(string) (Disk, error)     { return Disk{}, errElsewhere }
func kernelClock() (Clock, error)     { return Clock{}, errElsewhere }
func socketBuffers() (Buffers, error) { return Buffers{}, errElsewhere }
