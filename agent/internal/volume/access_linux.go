package volume

import "github.com/sealdock/sealdock/proto/evidence"

// Access says how the camera is read.
func (l *link) Access() evidence.Access { return evidence.AccessStorage }
