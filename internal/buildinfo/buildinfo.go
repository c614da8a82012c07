// Package buildinfo says which version of a program this is.
//
// Mains call it, with what the linker set; everything else is told.
package buildinfo

import "runtime/debug"

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
