//go:build !linux

package closed

import (
	"context"
	"errors"
	"os"
)

var errLinux = errors.New("programs of others are run on Linux alone, where they can be shut off")

// File is refused.
func File() (*os.File, error) { return nil, errLinux }

// Seal is refused.
func Seal(*os.File) error { return errLinux }

// Enter does nothing.
func Enter() {}

// Run is refused.
func Run(context.Context, Command) (*Result, error) { return nil, errLinux }
