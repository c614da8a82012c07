// Package buildinfo says which version of a program this is, and what does its
// cryptography.
//
// Mains call it, with what the linker set; everything else is told.
package buildinfo

import (
	"crypto/fips140"
	"runtime/debug"
)

// Version returns linked if the linker set it, else the commit that Go noted
// while building, else "unversioned".
func Version(linked string) string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unversioned"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "commit-" + s.Value[:12]
		}
	}
	return "unversioned"
}

// Cryptography names Go's FIPS 140-3 module in this program and its mode: off, on,
// or enforced, in which what is not approved is refused.
func Cryptography() string {
	mode := "off"
	switch {
	case fips140.Enforced():
		mode = "enforced"
	case fips140.Enabled():
		mode = "on"
	}
	version := fips140.Version()
	if version == "latest" {
		version = "of this Go, not certified"
	}
	return "FIPS 140-3 mode " + mode + ", module " + version
}
