//go:build !cgo

package hsm

import "errors"

var errNoCgo = errors.New("this program was built without cgo and reaches no HSM")

// Make says that it cannot.
func (Module) Make(string, []byte) error { return errNoCgo }

// Wrap says that it cannot.
func (Module) Wrap(string, []byte, []byte, []byte) ([]byte, error) { return nil, errNoCgo }

// Unwrap says that it cannot.
func (Module) Unwrap(string, []byte, []byte, []byte) ([]byte, error) { return nil, errNoCgo }
